/** `<log-tail data-job>`: the log of a job, live. Only the lines in view are in the page, so 100,000 of them stay light. */
import { clock, el, getJson, icon } from "../dom";
import { type JobEvent, watchJob } from "../jobs";
import { t } from "../words";

interface Line {
  t: number;
  level: string;
  message: string;
}

interface Page {
  lines: (Line & { line: number })[];
  next?: number | null;
}

const LINE_PX = 20;
const SPARE = 20;
const MOST = 200_000;
/** Browsers cut elements off at about 33 million pixels; 200,000 lines of 20 stay below. */

class LogTail extends HTMLElement {
  private lines: Line[] = [];
  private hits?: number[];
  private last = 0;
  private follow = true;
  private frame = 0;
  private stop?: () => void;
  private kept?: JobEvent[] = [];
  private readonly sheet = el("div", { class: "relative min-w-full" });
  private readonly box = el("div", { class: "log-box", tabindex: 0, role: "log", "aria-live": "off", "aria-label": t("Log") }, this.sheet);
  private readonly empty = el("p", { class: "px-4 py-3 text-base-content/70" }, t("Nothing written yet"));
  private readonly search = el("input", { type: "search", placeholder: t("Find in log"), "aria-label": t("Find in log"), class: "max-w-56" });
  private readonly found = el("span", { class: "text-sm text-base-content/70", role: "status" });
  private readonly following = el("input", { type: "checkbox", class: "toggle toggle-sm toggle-primary", checked: true });

  connectedCallback(): void {
    const copy = el("button", { type: "button", class: "btn btn-sm btn-ghost" }, icon("copy"), t("Copy all"));
    copy.addEventListener("click", () => void navigator.clipboard.writeText(this.lines.map(text).join("\n")));
    const bar = el(
      "div",
      { class: "toolbar mb-2" },
      this.search,
      this.found,
      el("span", { class: "flex-1" }),
      el("label", { class: "flex items-center gap-2 text-sm" }, this.following, t("Follow")),
      copy,
    );
    this.sheet.append(this.empty);
    this.replaceChildren(bar, this.box);
    this.search.addEventListener("input", () => this.filter());
    this.following.addEventListener("change", () => {
      this.follow = this.following.checked;
      this.draw();
    });
    this.box.addEventListener("scroll", () => this.onScroll());
    void this.start();
  }

  disconnectedCallback(): void {
    this.stop?.();
    cancelAnimationFrame(this.frame);
  }

  /** Listens first and keeps what comes, so that no line falls between history and live. */
  private async start(): Promise<void> {
    const job = this.dataset.job ?? "";
    this.stop = watchJob(job, { onEvents: (events) => (this.kept ? this.kept.push(...events) : this.onEvents(events)) });
    try {
      for (let after: number | null | undefined = 0; after !== null && after !== undefined; ) {
        const page: Page = await getJson<Page>(`/api/v1/jobs/${job}/logs/?after=${after}&limit=5000`);
        for (const line of page.lines) this.add(line, line.line);
        after = page.lines.length ? page.next : null;
      }
    } catch {
      // The live channel still brings what is new.
    }
    const kept = this.kept ?? [];
    this.kept = undefined;
    this.onEvents(kept);
    this.schedule();
  }

  private onEvents(events: JobEvent[]): void {
    let came = false;
    for (const event of events) {
      if (event.type !== "log") continue;
      for (const line of (event.lines as (Line & { line?: number })[] | undefined) ?? [event as unknown as Line & { line?: number }]) {
        came = this.add(line, line.line) || came;
      }
    }
    if (came) this.schedule();
  }

  /** Lines that came twice, by history and by the live channel, are known by their number. */
  private add(line: Line, number?: number): boolean {
    if (number !== undefined) {
      if (number <= this.last) return false;
      this.last = number;
    }
    for (const part of String(line.message).split("\n")) this.lines.push({ t: line.t, level: line.level, message: part });
    if (this.lines.length > MOST) this.lines.splice(0, this.lines.length - MOST);
    return true;
  }

  private filter(): void {
    const wanted = this.search.value.trim().toLowerCase();
    this.hits = wanted ? this.lines.flatMap((line, index) => (line.message.toLowerCase().includes(wanted) ? [index] : [])) : undefined;
    this.found.textContent = this.hits ? t("{count} lines", { count: this.hits.length }) : "";
    this.draw();
  }

  private onScroll(): void {
    const atEnd = this.box.scrollTop + this.box.clientHeight >= this.box.scrollHeight - LINE_PX;
    if (this.follow !== atEnd) {
      this.follow = atEnd;
      this.following.checked = atEnd;
    }
    this.draw(false);
  }

  private schedule(): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => (this.search.value ? this.filter() : this.draw()));
  }

  private draw(moveToEnd = this.follow): void {
    const total = this.hits?.length ?? this.lines.length;
    this.sheet.style.height = `${Math.max(1, total) * LINE_PX}px`;
    if (moveToEnd) this.box.scrollTop = this.box.scrollHeight;
    const first = Math.max(0, Math.floor(this.box.scrollTop / LINE_PX) - SPARE);
    const end = Math.min(total, Math.ceil((this.box.scrollTop + this.box.clientHeight) / LINE_PX) + SPARE);
    const shown: Node[] = [];
    for (let index = first; index < end; index += 1) shown.push(this.row(index));
    this.sheet.replaceChildren(...(total ? shown : [this.empty]));
  }

  private row(index: number): HTMLElement {
    const line = this.lines[this.hits?.[index] ?? index]!;
    const row = el(
      "div",
      { class: "log-line", "data-level": line.level },
      el("span", { class: "log-time" }, line.t ? clock(line.t) : ""),
      this.marked(line.message),
    );
    row.style.top = `${index * LINE_PX}px`;
    return row;
  }

  private marked(message: string): HTMLElement {
    const wanted = this.search.value.trim();
    const at = wanted ? message.toLowerCase().indexOf(wanted.toLowerCase()) : -1;
    if (at < 0) return el("span", {}, message);
    const end = at + wanted.length;
    return el("span", {}, message.slice(0, at), el("mark", {}, message.slice(at, end)), message.slice(end));
  }
}

const text = (line: Line): string => `${line.t ? new Date(line.t * 1000).toISOString() : ""} ${line.message}`.trim();

customElements.define("log-tail", LogTail);
