/** One chart: lines over steps, drawn by uPlot, with a table of the latest values for screen readers beside it. */
import uPlot from "uplot";
import { el } from "../dom";
import { measure, t } from "../words";

export interface Line {
  key: string;
  label: string;
}

export interface Options {
  title: string;
  unit?: string;
  log?: boolean;
  height?: number;
  /** Two charts with the same key show the same stretch of steps and the same cursor. */
  sync?: string;
  /** Without a button for a logarithmic scale. */
  plain?: boolean;
  /** The vertical axis begins at 0, and ends at `most` where that is given; the line stands on a filled area. */
  grounded?: { most?: number };
  /** Texts of the horizontal axis; steps unless given. */
  axis?: (value: number) => string;
  /** Asked when a reader zooms in (null: out again). */
  onZoom?: (range: [number, number] | null) => void;
  /** Where a checkpoint lies, and what it leads to. */
  onMarker?: (step: number) => void;
}

const HEIGHT = 220;
const MOST_READ = 12;
const MANY = 40;

const css = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Colours that stay apart in both themes and for most colour-blind readers; dashes tell the second six apart. */
export const tones = (): string[] => [css("--color-primary"), css("--color-warning"), css("--color-success"), css("--color-error"), css("--color-info"), css("--color-secondary")];

export class Chart {
  readonly element: HTMLElement;
  private readonly box = el("div", { class: "w-full" });
  private readonly value = el("span", { class: "chart-value" });
  private readonly body = el("tbody");
  private readonly logButton = el("button", { type: "button", class: "btn btn-ghost btn-xs", "aria-pressed": "false" }, t("Log scale"));
  private readonly data = new Map<string, Map<number, number>>();
  private readonly detail = new Map<string, Map<number, number>>();
  private zoomed: [number, number] | null = null;
  private markers: number[] = [];
  private ends: number[] = [];
  private plot?: uPlot;
  private log: boolean;
  private drawn = 0;
  private zooming = 0;

  constructor(
    readonly lines: Line[],
    private readonly options: Options,
  ) {
    this.log = !!options.log;
    for (const line of lines) this.data.set(line.key, new Map());
    this.logButton.addEventListener("click", () => {
      this.log = !this.log;
      this.rebuild();
    });
    const heads = [options.axis ? t("Time") : t("Step"), ...lines.map((line) => line.label)].map((text) => el("th", { scope: "col" }, text));
    const { title } = options;
    this.element = el(
      "figure",
      { class: "chart-card" },
      el("figcaption", { class: "chart-head" }, el("span", {}, title), el("span", { class: "flex items-center gap-2" }, this.value, options.plain ? null : this.logButton)),
      this.box,
      el("div", { class: "sr-only" }, el("table", {}, el("caption", {}, t("{title}: latest values", { title })), el("thead", {}, el("tr", {}, ...heads)), this.body)),
    );
    this.box.setAttribute("aria-hidden", "true");
  }

  has(key: string): boolean {
    return this.data.has(key);
  }

  /** Points in the order of their steps, or later ones that came live. */
  add(key: string, step: number, value: number): void {
    this.data.get(key)?.set(step, value);
  }

  clear(key: string): void {
    this.data.get(key)?.clear();
  }

  size(key: string): number {
    return this.data.get(key)?.size ?? 0;
  }

  /** Steps that the horizontal axis reaches even where no point lies, so that charts below each other agree. */
  reach(steps: number[]): void {
    this.ends = steps;
  }

  /** First and last step of what is drawn; nothing while there are no points. */
  extent(): number[] {
    const steps = [...this.data.values()].flatMap((points) => [...points.keys()]);
    return steps.length ? [steps.reduce((a, b) => Math.min(a, b)), steps.reduce((a, b) => Math.max(a, b))] : [];
  }

  mark(steps: number[]): void {
    this.markers = steps;
    this.placeMarkers();
  }

  /** What was read anew for the stretch that is zoomed into. */
  refine(key: string, points: [number, number][]): void {
    this.detail.set(key, new Map(points));
    this.redraw();
  }

  /** Draws at most once a frame, however many points came. */
  redraw(): void {
    cancelAnimationFrame(this.drawn);
    this.drawn = requestAnimationFrame(() => this.draw());
  }

  rebuild(): void {
    this.plot?.destroy();
    this.plot = undefined;
    this.logButton.setAttribute("aria-pressed", String(this.log));
    this.logButton.classList.toggle("btn-active", this.log);
    this.draw();
  }

  resize(): void {
    this.plot?.setSize({ width: this.box.clientWidth, height: this.height });
    this.placeMarkers();
  }

  /** Another chart takes its place, with other lines. */
  replaceWith(other: Chart): void {
    cancelAnimationFrame(this.drawn);
    this.plot?.destroy();
    this.element.replaceWith(other.element);
  }

  private get height(): number {
    return this.options.height ?? HEIGHT;
  }

  private points(key: string): Map<number, number> {
    const whole = this.data.get(key)!;
    const near = this.detail.get(key);
    if (!near || !this.zoomed) return whole;
    const [from, to] = this.zoomed;
    return new Map([...[...whole].filter(([step]) => step < from || step > to), ...near]);
  }

  private aligned(): uPlot.AlignedData {
    const columns = this.lines.map((line) => this.points(line.key));
    const steps = [...new Set([...this.ends, ...columns.flatMap((points) => [...points.keys()])])].sort((a, b) => a - b);
    return [steps, ...columns.map((points) => steps.map((step) => this.visible(points.get(step))))] as uPlot.AlignedData;
  }

  private visible(value: number | undefined): number | null {
    return value === undefined || (this.log && value <= 0) ? null : value;
  }

  private draw(): void {
    const data = this.aligned();
    if (!this.box.isConnected || !this.box.clientWidth) return;
    if (this.plot) this.plot.setData(data, !this.zoomed);
    else this.plot = new uPlot(this.settings(), data, this.box);
    if (this.zoomed) this.plot.redraw();
    this.placeMarkers();
    this.describe(data[0] as number[]);
  }

  private describe(steps: number[]): void {
    const last = this.lines.map((line) => [...this.data.get(line.key)!.values()].at(-1));
    const { unit } = this.options;
    this.value.textContent = last[0] === undefined ? t("No points yet") : this.lines.length > 2 ? "" : `${measure(last[0])}${unit ? ` ${unit}` : ""}`;
    const rows = this.latest(steps).map(([place, values]) => {
      const cells = values.map((value) => el("td", {}, value === undefined ? "" : measure(value)));
      return el("tr", {}, el("th", { scope: "row" }, place), ...cells);
    });
    this.body.replaceChildren(...rows);
  }

  /** The newest places, and the newest value of each line there. */
  private latest(steps: number[]): [place: string, values: (number | undefined)[]][] {
    const found = new Map<string, (number | undefined)[]>();
    for (let at = steps.length - 1; at >= 0 && found.size <= MOST_READ; at--) {
      const values = this.lines.map((line) => this.data.get(line.key)!.get(steps[at]!));
      if (values.every((value) => value === undefined)) continue;
      const place = this.place(steps[at]!);
      found.set(place, found.get(place)?.map((value, line) => value ?? values[line]) ?? values);
    }
    return [...found].slice(0, MOST_READ).reverse();
  }

  /** Where a point lies, in words: what the machine did lies between two steps, and often. */
  private place(step: number): string {
    return this.options.axis?.(step) ?? String(Math.round(step));
  }

  /** Links over the drawing; the table of checkpoints says the same to those who do not see it. */
  private placeMarkers(): void {
    const over = this.plot?.over;
    if (!this.plot || !over) return;
    over.querySelectorAll(".chart-marker").forEach((old) => old.remove());
    const { min, max } = this.plot.scales.x!;
    for (const step of this.markers) {
      if (step < (min ?? 0) || step > (max ?? 0)) continue;
      const words = t("Checkpoint at step {step}", { step });
      const marker = el("a", { class: "chart-marker", href: `#checkpoint-${step}`, tabindex: -1, title: words });
      marker.style.left = `${this.plot.valToPos(step, "x")}px`;
      marker.addEventListener("click", () => this.options.onMarker?.(step));
      over.append(marker);
    }
  }

  /** Only what a reader did is a zoom; data that came changes the scale as well. */
  private onScale(plot: uPlot): void {
    const steps = plot.data[0];
    const { min, max } = plot.scales.x!;
    if (!steps?.length || min === undefined || max === undefined || min === null || max === null) return;
    const inside = min > steps[0]! || max < steps.at(-1)!;
    const range: [number, number] | null = inside ? [Math.floor(min), Math.ceil(max)] : null;
    if (String(range) === String(this.zoomed)) return;
    this.zoomed = range;
    if (!range) this.detail.clear();
    this.placeMarkers();
    clearTimeout(this.zooming);
    this.zooming = window.setTimeout(() => this.options.onZoom?.(range), 120);
  }

  private settings(): uPlot.Options {
    const ink = css("--color-base-content");
    const grid = { stroke: css("--color-base-300"), width: 1 };
    const axis = { stroke: ink, grid, ticks: { ...grid, size: 4 }, font: "11px system-ui, sans-serif" };
    const colours = tones();
    const { grounded } = this.options;
    const words = this.options.axis ?? ((tick: number) => (Number.isInteger(tick) ? measure(tick) : ""));
    return {
      width: this.box.clientWidth,
      height: this.height,
      cursor: { points: { size: 7 }, drag: { x: true, y: false }, sync: this.options.sync ? { key: this.options.sync, scales: ["x", null] } : undefined },
      legend: { show: this.lines.length > 1, live: true },
      scales: { x: { time: false }, y: { distr: this.log ? 3 : 1, ...(grounded ? { range: (_plot: uPlot, _min: number, max: number): [number, number] => [0, grounded.most ?? (max || 1) * 1.1] } : {}) } },
      hooks: { setScale: [(plot, key) => (key === "x" ? this.onScale(plot) : undefined)] },
      axes: [
        { ...axis, size: 28, values: (_plot, ticks) => ticks.map((tick) => words(tick)) },
        { ...axis, size: 58, values: (_plot, ticks) => ticks.map((tick) => (tick === null ? "" : measure(tick))) },
      ],
      series: [
        { label: this.options.axis ? t("Time") : t("Step"), value: (_plot: uPlot, value: number | null) => (value === null ? "—" : this.place(value)) },
        ...this.lines.map((line, index) => ({
          label: line.label,
          stroke: colours[index % colours.length]!,
          width: 1.75,
          fill: grounded ? `color-mix(in oklab, ${colours[index % colours.length]!} 14%, transparent)` : undefined,
          spanGaps: true,
          dash: index >= colours.length || (this.lines.length === 2 && index) ? [6, 4] : undefined,
          points: { show: (plot: uPlot) => (plot.data[0]?.length ?? 0) < MANY, size: 5 },
          value: (_plot: uPlot, value: number | null) => (value === null ? "—" : measure(value)),
        })),
      ],
    };
  }
}
