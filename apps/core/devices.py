"""Browser and system in words, from what a browser says of itself."""

BROWSERS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("MicroMessenger", "WeChat"), ("QQBrowser", "QQ Browser"),
    ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"), ("curl", "curl"), ("python", "Python"),
)  # fmt: skip
"""First match counts: Edge and Opera call themselves Chrome too, and Chrome calls itself Safari."""
SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("HarmonyOS", "HarmonyOS"), ("Windows", "Windows"),
    ("Mac OS", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


def device(user_agent: str) -> str:
    """“Firefox · Linux”; empty when it says nothing known."""
    found = (
        next((name for sign, name in known if sign.lower() in user_agent.lower()), "") for known in (BROWSERS, SYSTEMS)
    )
    return " · ".join(name for name in found if name)
