"""How to call a model from outside, ready to copy."""

CURL = """curl {url}/v1/chat/completions \\
  -H "Authorization: Bearer $AIFS_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{{"model": "{name}", "messages": [{{"role": "user", "content": "Hello"}}]}}'"""

OPENAI = """from openai import OpenAI

client = OpenAI(base_url="{url}/v1", api_key="…")
answer = client.chat.completions.create(
    model="{name}",
    messages=[{{"role": "user", "content": "Hello"}}],
)
print(answer.choices[0].message.content)"""

SDK = """from aifs.sdk import Client

print(Client().chat("{name}", "Hello").text)"""

COMMAND = 'aifs chat {name} "Hello"'


def of(gateway_url: str, name: str) -> list[dict[str, str]]:
    """[{"title", "code"}]"""
    titles = {"curl": CURL, "Python (openai)": OPENAI, "Python (AIFS)": SDK, "aifs": COMMAND}
    return [{"title": title, "code": code.format(url=gateway_url, name=name)} for title, code in titles.items()]
