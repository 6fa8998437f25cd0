/** `<metric-chart data-job data-series="loss,eval_loss" data-title data-unit data-log>`: history, then live points.
 *  `data-series="*"` draws a chart for every series of the job. A table under each chart says the same to screen readers. */
import uPlot from "uplot";
import { el, getJson } from "../dom";
import { type JobEvent, watchJob } from "../jobs";
import { measure, t } from "../words";

interface Series {
  steps: number[];
  values: (number | null)[];
}

const HEIGHT = 220;
const MOST_DRAWN = 2_000;
const MOST_READ = 12;

const css = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Colours that stay apart in both themes and for most colour-blind readers. */
const tones = (): string[] => [css("--color-primary"), css("--color-warning"), css("--color-success"), css("--color-error"), css("--color-info"), css("--color-secondary")];

/** Words for the series that runs emit; others are shown under their own name. */
function seriesName(name: string): string {
  const known: Record<string, string> = {
    loss: t("Loss"),
    eval_loss: t("Held-out loss"),
    learning_rate: t("Learning rate"),
    grad_norm: t("Gradient norm"),
    tokens_per_s: t("Tokens per second"),
    memory_mib: t("Memory (MiB)"),
    accuracy: t("Accuracy"),
  };
  return known[name] ?? name.replaceAll("_", " ");
}

class Chart {
  readonly element: HTMLElement;
  private readonly box = el("div", { class: "w-full" });
  private readonly value = el("span", { class: "chart-value" });
  private readonly body = el("tbody");
  private readonly logButton = el("button", { type: "button", class: "btn btn-ghost btn-xs", "aria-pressed": "false" }, t("Log scale"));
  private readonly data = new Map<string, Map<number, number>>();
  private plot?: uPlot;
  private log: boolean;
  private drawn = 0;

  constructor(
    readonly names: string[],
    title: string,
    private readonly unit: string,
    log: boolean,
  ) {
    this.log = log;
    for (const name of names) this.data.set(name, new Map());
    this.logButton.addEventListener("click", () => {
      this.log = !this.log;
      this.rebuild();
    });
    const heads = [t("Step"), ...names.map(seriesName)].map((text) => el("th", { scope: "col" }, text));
    this.element = el(
      "figure",
      { class: "chart-card" },
      el("figcaption", { class: "chart-head" }, el("span", {}, title), el("span", { class: "flex items-center gap-2" }, this.value, this.logButton)),
      this.box,
      el("div", { class: "sr-only" }, el("table", {}, el("caption", {}, t("{title}: latest values", { title })), el("thead", {}, el("tr", {}, ...heads)), this.body)),
    );
    this.box.setAttribute("aria-hidden", "true");
  }

  add(name: string, step: number, value: number): void {
    this.data.get(name)?.set(step, value);
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
    this.plot?.setSize({ width: this.box.clientWidth, height: HEIGHT });
  }

  private aligned(): uPlot.AlignedData {
    const steps = [...new Set([...this.data.values()].flatMap((points) => [...points.keys()]))].sort((a, b) => a - b);
    const every = Math.max(1, Math.ceil(steps.length / MOST_DRAWN));
    const shown = every === 1 ? steps : steps.filter((_step, index) => index % every === 0 || index === steps.length - 1);
    const columns = this.names.map((name) => shown.map((step) => this.visible(this.data.get(name)!.get(step))));
    return [shown, ...columns] as uPlot.AlignedData;
  }

  private visible(value: number | undefined): number | null {
    return value === undefined || (this.log && value <= 0) ? null : value;
  }

  private draw(): void {
    const data = this.aligned();
    if (!this.box.isConnected || !this.box.clientWidth) return;
    if (this.plot) this.plot.setData(data);
    else this.plot = new uPlot(this.options(), data, this.box);
    this.describe(data[0] as number[]);
  }

  private describe(steps: number[]): void {
    const last = this.names.map((name) => [...this.data.get(name)!.values()].at(-1));
    this.value.textContent = last[0] === undefined ? t("No points yet") : `${measure(last[0])}${this.unit ? ` ${this.unit}` : ""}`;
    const rows = steps.slice(-MOST_READ).map((step) => {
      const cells = this.names.map((name) => {
        const value = this.data.get(name)!.get(step);
        return el("td", {}, value === undefined ? "" : measure(value));
      });
      return el("tr", {}, el("th", { scope: "row" }, String(step)), ...cells);
    });
    this.body.replaceChildren(...rows);
  }

  private options(): uPlot.Options {
    const ink = css("--color-base-content");
    const grid = { stroke: css("--color-base-300"), width: 1 };
    const axis = { stroke: ink, grid, ticks: { ...grid, size: 4 }, font: "11px system-ui, sans-serif" };
    const colours = tones();
    return {
      width: this.box.clientWidth,
      height: HEIGHT,
      cursor: { points: { size: 7 }, drag: { x: true, y: false } },
      legend: { show: this.names.length > 1, live: true },
      scales: { x: { time: false }, y: { distr: this.log ? 3 : 1 } },
      axes: [
        { ...axis, size: 28, values: (_plot, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? measure(tick) : "")) },
        { ...axis, size: 58, values: (_plot, ticks) => ticks.map((tick) => (tick === null ? "" : measure(tick))) },
      ],
      series: [
        { label: t("Step") },
        ...this.names.map((name, index) => ({
          label: seriesName(name),
          stroke: colours[index % colours.length]!,
          width: 1.75,
          spanGaps: true,
          dash: index % 2 ? [6, 4] : undefined,
          points: { show: (plot: uPlot) => (plot.data[0]?.length ?? 0) < 40, size: 5 },
          value: (_plot: uPlot, value: number | null) => (value === null ? "—" : measure(value)),
        })),
      ],
    };
  }
}

class MetricChart extends HTMLElement {
  private charts: Chart[] = [];
  private stop?: () => void;
  private observer?: ResizeObserver;
  private readonly onTheme = () => this.charts.forEach((chart) => chart.rebuild());

  connectedCallback(): void {
    this.observer = new ResizeObserver(() => this.charts.forEach((chart) => chart.resize()));
    this.observer.observe(this);
    document.addEventListener("aifs:theme", this.onTheme);
    const wanted = (this.dataset.series ?? "*").split(",").map((name) => name.trim());
    if (wanted[0] !== "*") this.addChart(wanted);
    void this.start();
  }

  disconnectedCallback(): void {
    this.stop?.();
    this.observer?.disconnect();
    document.removeEventListener("aifs:theme", this.onTheme);
  }

  private get free(): boolean {
    return (this.dataset.series ?? "*") === "*";
  }

  private addChart(names: string[]): Chart {
    const title = this.free ? seriesName(names[0]!) : (this.dataset.title ?? names.map(seriesName).join(", "));
    const chart = new Chart(names, title, this.dataset.unit ?? "", this.dataset.log !== undefined);
    this.charts.push(chart);
    if (this.free) this.classList.add("chart-grid");
    this.append(chart.element);
    return chart;
  }

  private async start(): Promise<void> {
    const job = this.dataset.job ?? "";
    this.stop = watchJob(job, { onEvents: (events) => this.onEvents(events) });
    const names = this.free ? "" : `?names=${encodeURIComponent(this.dataset.series ?? "")}`;
    try {
      const { series } = await getJson<{ series: Record<string, Series> }>(`/api/v1/jobs/${job}/metrics/${names}`);
      for (const [name, { steps, values }] of Object.entries(series)) {
        steps.forEach((step, index) => this.put(name, step, values[index]));
      }
    } catch {
      // The live channel below still brings what is new.
    }
    this.charts.forEach((chart) => chart.redraw());
  }

  /** A value that is no number (a loss that blew up) leaves a gap. */
  private put(name: string, step: number, value: number | null | undefined): Chart | undefined {
    if (value === null || value === undefined) return undefined;
    let chart = this.charts.find((one) => one.names.includes(name));
    if (!chart && this.free) chart = this.addChart([name]);
    chart?.add(name, step, value);
    return chart;
  }

  private onEvents(events: JobEvent[]): void {
    const touched = new Set<Chart>();
    for (const event of events) {
      if (event.type !== "metric") continue;
      for (const [name, value] of Object.entries((event.values ?? {}) as Record<string, number | null>)) {
        const chart = this.put(name, Number(event.step), value);
        if (chart) touched.add(chart);
      }
    }
    touched.forEach((chart) => chart.redraw());
  }
}

customElements.define("metric-chart", MetricChart);
