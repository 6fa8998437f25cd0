/** `<log-tail data-job data-download="/p/…/log/">`: the log of a job, live. It is as tall as the whole log, but only the
 *  lines in view are in the page, and only pages of lines around them are asked for: a million lines open as fast as ten. */
import { clock, el, getJson, icon } from "../dom";
import { type JobEvent, watchJob } from "../jobs";
import { t } from "../words";

interface Line {
  line: number;
  t: number;
  level: string;
  message: string;
}

interface Window {
  lines: Line[];
  next: number | null;
  previous: number | null;
  last: number;
}

const LINE_PX = 20;
const SPARE = 20;
const PAGE = 500;
const PAGES_KEPT = 40;
const TALLEST_PX = 24_000_000;
/** Browsers cut elements off at about 33 million pixels: a longer log scrolls by more than one line a line. */
const HITS_MOST = 2_000;

class LogTail extends HTMLElement {
  private readonly pages = new Map<number, Map<number, Line>>();
  private readonly asked = new Set<number>();
  private total = 0;
  private hits?: Line[];
  private searching = 0;
  private follow = true;
  private frame = 0;
  private stop?: () => void;
  private readonly sheet = el("div", { class: "relative min-w-full" });
  private readonly box = el("div", { class: "log-box", tabindex: 0, role: "log", "aria-live": "off", "aria-label": t("Log") }, this.sheet);
  private readonly empty = el("p", { class: "px-4 py-3 text-base-content/70" }, t("Nothing written yet"));
  private readonly search = el("input", { type: "search", placeholder: t("Find in log"), "aria-label": t("Find in log"), class: "max-w-56" });
  private readonly found = el("span", { class: "text-sm text-base-content/70", role: "status" });
  private readonly following = el("input", { type: "checkbox", class: "toggle toggle-sm toggle-primary", checked: true });

  connectedCallback(): void {
    const bar = el(
      "div",
      { class: "toolbar mb-2" },
      this.search,
      this.found,
      el("span", { class: "flex-1" }),
      el("label", { class: "flex items-center gap-2 text-sm" }, this.following, t("Follow")),
      this.dataset.download ? el("a", { class: "btn btn-sm btn-ghost", href: this.dataset.download, download: true }, icon("download"), t("Download")) : null,
    );
    this.sheet.append(this.empty);
    this.replaceChildren(bar, this.box);
    let typed = 0;
    this.search.addEventListener("input", () => {
      clearTimeout(typed);
      typed = window.setTimeout(() => void this.find(), 200);
    });
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
    this.searching += 1;
  }

  private async start(): Promise<void> {
    this.stop = watchJob(this.dataset.job ?? "", { onEvents: (events) => this.onEvents(events) });
    try {
      const end = await this.ask({ tail: PAGE });
      this.total = Math.max(this.total, end.last);
      end.lines.forEach((line) => this.keep(line));
    } catch {
      // The live channel still brings what is new.
    }
    this.schedule();
  }

  private ask(wanted: Record<string, string | number>): Promise<Window> {
    const query = new URLSearchParams(Object.entries(wanted).map(([name, value]) => [name, String(value)]));
    return getJson<Window>(`/api/v1/jobs/${this.dataset.job}/logs/?${query}`);
  }

  private onEvents(events: JobEvent[]): void {
    let came = false;
    for (const event of events) {
      if (event.type !== "log") continue;
      for (const line of event.lines as Line[]) {
        came ||= line.line > this.total;
        this.total = Math.max(this.total, line.line);
        this.keep(line);
      }
    }
    if (came) this.schedule();
  }

  /** Lines lie in pages by their number, so that it does not matter in which order they come. */
  private keep(line: Line): void {
    const number = Math.floor((line.line - 1) / PAGE);
    const page = this.pages.get(number) ?? new Map<number, Line>();
    this.pages.delete(number); // the page used last stands last
    this.pages.set(number, page.set(line.line, line));
    for (const oldest of this.pages.keys()) {
      if (this.pages.size <= PAGES_KEPT) break;
      this.pages.delete(oldest);
    }
  }

  private line(number: number): Line | undefined {
    return this.pages.get(Math.floor((number - 1) / PAGE))?.get(number);
  }

  /** Asks for pages in view that are not here (or not whole). */
  private async fetch(number: number): Promise<void> {
    if (this.asked.has(number)) return;
    this.asked.add(number);
    try {
      const got = await this.ask({ after: number * PAGE, limit: PAGE });
      got.lines.forEach((line) => this.keep(line));
      this.schedule(false);
    } catch {
      // Scrolling on asks again.
    } finally {
      this.asked.delete(number);
    }
  }

  // --- searching

  /** The server looks through the log piece by piece; what it finds is shown as it comes. */
  private async find(): Promise<void> {
    const turn = (this.searching += 1);
    const words = this.search.value.trim();
    this.hits = words ? [] : undefined;
    this.found.textContent = words ? t("Searching…") : "";
    this.draw(!words && this.follow);
    let after: number | null = 0;
    while (words && after !== null && this.hits!.length < HITS_MOST) {
      let got: Window;
      try {
        got = await this.ask({ q: words, after, limit: PAGE });
      } catch (error) {
        if (turn === this.searching) this.found.textContent = (error as Error).message;
        return;
      }
      if (turn !== this.searching) return;
      this.hits!.push(...got.lines);
      after = got.next;
      this.found.textContent = after === null ? t("{count} lines", { count: this.hits!.length }) : t("{count} lines so far…", { count: this.hits!.length });
      this.draw(false);
    }
    if (words && after !== null) this.found.textContent = t("The first {count} lines", { count: this.hits!.length });
  }

  // --- drawing

  private get count(): number {
    return this.hits?.length ?? this.total;
  }

  private get height(): number {
    return Math.min(TALLEST_PX, Math.max(1, this.count) * LINE_PX);
  }

  /** Lines scrolled past for a pixel. */
  private get lines(): number {
    const room = Math.max(1, this.height - this.box.clientHeight);
    return Math.max(0, this.count - this.box.clientHeight / LINE_PX) / room;
  }

  private onScroll(): void {
    const atEnd = this.box.scrollTop + this.box.clientHeight >= this.box.scrollHeight - LINE_PX;
    if (!this.hits && this.follow !== atEnd) {
      this.follow = atEnd;
      this.following.checked = atEnd;
    }
    this.draw(false);
  }

  private schedule(follow = true): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw(follow && this.follow && !this.hits));
  }

  private draw(moveToEnd = this.follow && !this.hits): void {
    const { count } = this;
    this.sheet.style.height = `${this.height}px`;
    if (moveToEnd) this.box.scrollTop = this.box.scrollHeight;
    const top = Math.floor(this.box.scrollTop * this.lines);
    const first = Math.max(0, top - SPARE);
    const end = Math.min(count, top + Math.ceil(this.box.clientHeight / LINE_PX) + SPARE);
    const shift = this.box.scrollTop - this.box.scrollTop * this.lines * LINE_PX;
    const rows: Node[] = [];
    for (let index = first; index < end; index += 1) rows.push(this.row(index, shift));
    this.sheet.replaceChildren(...(count ? rows : [this.empty]));
  }

  private row(index: number, shift: number): HTMLElement {
    const line = this.hits ? this.hits[index] : this.line(index + 1);
    if (!line) void this.fetch(Math.floor(index / PAGE));
    const row = el(
      "div",
      { class: "log-line", "data-level": line?.level ?? "" },
      el("span", { class: "log-time" }, line?.t ? clock(line.t) : "·"),
      line ? this.marked(line.message.replaceAll("\n", " ⏎ ")) : "",
    );
    row.style.top = `${shift + index * LINE_PX}px`;
    if (line) row.title = t("Line {number}", { number: line.line });
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

customElements.define("log-tail", LogTail);
