/** `<jobs-pill data-project data-href>`: how many jobs run or wait, and how far the first one is. Quiet when none does;
 *  while the server is away it keeps what it said (the frame says that this may be old), and asks often. */
import { el, icon, pollJson } from "../dom";
import type { Job } from "../jobs";
import { t } from "../words";

const OFTEN_MS = 4_000;
const SELDOM_MS = 20_000;
const MOST = 20;

class JobsPill extends HTMLElement {
  private timer = 0;
  private readonly onShow = () => {
    if (!document.hidden) void this.refresh();
  };

  connectedCallback(): void {
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
    let often = true;
    try {
      const project = encodeURIComponent(this.dataset.project ?? "");
      const { results } = await pollJson<{ results: Job[] }>(`/api/v1/jobs/?project=${project}&active=true&service=false&limit=${MOST}`);
      this.show(results);
      often = results.length > 0;
    } catch {
      // Another turn comes soon.
    }
    this.timer = window.setTimeout(() => void this.refresh(), often ? OFTEN_MS : SELDOM_MS);
  }

  private show(jobs: Job[]): void {
    if (!jobs.length) {
      this.replaceChildren();
      return;
    }
    const running = jobs.find((job) => job.state === "running");
    const share = running?.progress?.total ? Math.round((100 * (running.progress.done ?? 0)) / running.progress.total) : null;
    const count = jobs.length >= MOST ? `${MOST}+` : String(jobs.length);
    const label = t("{count} jobs running or waiting", { count });
    const picture = icon(running ? "loader-circle" : "hourglass", "size-3.5");
    if (running) picture.classList.add("animate-spin", "text-info");
    this.replaceChildren(
      el(
        "a",
        { class: "pill", href: this.dataset.href, title: label, "aria-label": label },
        picture,
        el("span", { class: "tabular-nums" }, count),
        share !== null && el("span", { class: "tabular-nums text-base-content/70 max-sm:hidden" }, `${share} %`),
      ),
    );
  }
}

customElements.define("jobs-pill", JobsPill);
