/** `<live-job data-job data-state>`: keeps the server-rendered state, progress, reason and values inside it fresh.
 *
 *  Inside: `[data-live=state]` holding a ui/badge, ui/progress, `[data-live=reason]`, `[data-metric=loss]`.
 *  `aifs:sample` is told to the page when its model has answered, and once at the start, for what came meanwhile.
 *  `data-reload` loads the page anew when the job starts or ends, since what the page offers changes then. */
import { setIcon } from "../dom";
import { hasEnded, type Job, type JobEvent, type Progress, watchJob } from "../jobs";
import { duration, measure, t } from "../words";

const LOOKS: Record<string, [tone: string, icon: string, busy: boolean]> = {
  queued: ["", "hourglass", false],
  scheduled: ["info", "clock", false],
  preparing: ["info", "loader-circle", true],
  running: ["info", "loader-circle", true],
  paused: ["warn", "circle-pause", false],
  succeeded: ["good", "circle-check", false],
  failed: ["bad", "circle-x", false],
  cancelled: ["", "ban", false],
};

const stateWord = (state: string): string =>
  ({
    queued: t("Queued"),
    scheduled: t("Scheduled"),
    preparing: t("Preparing"),
    running: t("Running"),
    paused: t("Paused"),
    succeeded: t("Succeeded"),
    failed: t("Failed"),
    cancelled: t("Cancelled"),
  })[state] ?? state;

const phase = (state: string): string => (hasEnded(state) ? "ended" : state === "running" ? "running" : "waiting");

class LiveJob extends HTMLElement {
  private stop?: () => void;
  private state = "";
  private etaAt = 0;
  private caughtUp = false;
  private timer = 0;

  connectedCallback(): void {
    this.state = this.dataset.state ?? "";
    if (hasEnded(this.state)) return;
    this.stop = watchJob(this.dataset.job ?? "", {
      onJob: (job) => this.onJob(job),
      onEvents: (events) => this.onEvents(events),
    });
    this.timer = window.setInterval(() => this.showEta(), 1000);
  }

  disconnectedCallback(): void {
    this.stop?.();
    clearInterval(this.timer);
  }

  private onJob(job: Job): void {
    if (!this.caughtUp) this.tellOfSamples();
    this.caughtUp = true;
    this.setState(job.state, job.reason_text);
    if (job.progress) this.setProgress(job.progress);
    if (job.metrics) this.setMetrics(job.metrics);
  }

  private onEvents(events: JobEvent[]): void {
    for (const event of events) {
      if (event.type === "state") this.setState(String(event.state), event.reason_text as string | undefined);
      if (event.type === "progress") this.setProgress(event as unknown as Progress);
      if (event.type === "metric") this.setMetrics(event.values as Record<string, number>);
      if (event.type === "sample") this.tellOfSamples();
    }
  }

  private tellOfSamples(): void {
    document.body.dispatchEvent(new CustomEvent("aifs:sample"));
  }

  private setState(state: string, reason?: string): void {
    const said = this.querySelector<HTMLElement>("[data-live=reason]");
    if (said && reason !== undefined) {
      said.textContent = reason;
      said.hidden = !reason;
    }
    if (state === this.state) return;
    const changedPhase = phase(state) !== phase(this.state);
    this.state = state;
    this.dataset.state = state;
    const [tone, picture, busy] = LOOKS[state] ?? ["", "circle", false];
    for (const badge of this.querySelectorAll<HTMLElement>("[data-live=state] .badge-state")) {
      badge.dataset.tone = tone;
      badge.dataset.state = state;
      badge.toggleAttribute("data-busy", busy);
      setIcon(badge.querySelector("svg"), picture);
      badge.querySelector("span:last-child")!.textContent = stateWord(state);
    }
    if (changedPhase && this.dataset.reload !== undefined) this.reloadSoon();
  }

  /** Unless the reader is already on the way to another page. */
  private reloadSoon(): void {
    const timer = setTimeout(() => location.reload(), 400);
    addEventListener("beforeunload", () => clearTimeout(timer), { once: true });
  }

  private setProgress(progress: Progress): void {
    const bar = this.querySelector<HTMLProgressElement>("[data-progress] progress");
    if (bar && progress.total) {
      bar.max = progress.total;
      bar.value = progress.done ?? 0;
    }
    const text = this.querySelector("[data-progress-text]");
    if (text && progress.message !== undefined) text.textContent = progress.message;
    for (const count of this.querySelectorAll<HTMLElement>("[data-progress-count]")) {
      count.textContent = progress.total ? `${measure(progress.done ?? 0)} / ${measure(progress.total)}` : "";
    }
    this.etaAt = progress.eta_s === null || progress.eta_s === undefined ? 0 : Date.now() + progress.eta_s * 1000;
    this.showEta();
  }

  private showEta(): void {
    const place = this.querySelector("[data-progress-eta]");
    if (!place || hasEnded(this.state)) return;
    const left = (this.etaAt - Date.now()) / 1000;
    const said = left > 1 ? t("{time} left", { time: duration(left) }) : t("almost done");
    place.textContent = this.etaAt ? said : "";
  }

  private setMetrics(values: Record<string, number>): void {
    for (const [name, value] of Object.entries(values)) {
      if (value === null) continue;
      for (const place of this.querySelectorAll(`[data-metric="${CSS.escape(name)}"]`)) place.textContent = measure(value);
    }
  }
}

customElements.define("live-job", LiveJob);
