/** `<notification-bell data-url>` around a link: how much one has not read yet. Quiet when nothing is new. */
import { el, pollJson } from "../dom";
import { t } from "../words";

const EVERY_MS = 15_000;
const MOST = 99;

class NotificationBell extends HTMLElement {
  private timer = 0;
  private name = "";
  private readonly onShow = () => {
    if (!document.hidden) void this.refresh();
  };

  connectedCallback(): void {
    this.name = this.querySelector("a")?.getAttribute("aria-label") ?? "";
    document.addEventListener("visibilitychange", this.onShow);
    void this.refresh();
  }

  disconnectedCallback(): void {
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.onShow);
  }

  private async refresh(): Promise<void> {
    clearTimeout(this.timer);
    if (document.hidden) return;
    try {
      const { unread } = await pollJson<{ unread: number }>(this.dataset.url ?? "");
      this.show(unread);
    } catch {
      // What was new still is.
    }
    this.timer = window.setTimeout(() => void this.refresh(), EVERY_MS);
  }

  private show(unread: number): void {
    const link = this.querySelector("a");
    link?.querySelector(".bell-count")?.remove();
    const label = unread ? `${this.name}: ${t("{count} not read", { count: unread })}` : this.name;
    link?.setAttribute("aria-label", label);
    link?.setAttribute("title", label);
    if (unread) link?.append(el("span", { class: "bell-count", "aria-hidden": "true" }, unread > MOST ? `${MOST}+` : String(unread)));
  }
}

customElements.define("notification-bell", NotificationBell);
