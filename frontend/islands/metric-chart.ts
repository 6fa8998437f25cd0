/** `<metric-chart data-job data-series="loss,eval_loss" data-title data-unit data-log data-markers="[3,6]" data-usage>`:
 *  history, then live points; zoomed in, the points themselves are read. `data-series="*"` draws a chart for every series;
 *  `"loss,eval_loss|tokens_per_s"` a lower one beneath the first, once it has points. data-usage: what the machine did,
 *  beneath the first chart, over the same steps. `data-runs='[{"id","name"}]'` in place of a job lays the charts of
 *  several runs over each other. */
import { Chart, type Line } from "../charts/plot";
import { byDevice, DEVICES, isDevice, MOST_POINTS, points, readSeries, type Series, seriesName, stepAt } from "../charts/series";
import { el } from "../dom";
import { type JobEvent, watchJob } from "../jobs";
import { t } from "../words";

interface Run {
  id: string;
  name: string;
}

const STRIP_HEIGHT = 110;
const SEPARATOR = "/";
const key = (run: Run, name: string): string => run.id + SEPARATOR + name;

class MetricChart extends HTMLElement {
  private charts: Chart[] = [];
  private readonly strips = new Map<string, Chart>();
  private readonly machine = el("div", { class: "contents" });
  private usage = new Map<string, [time: number, value: number][]>();
  private bySteps = false;
  private clock: [step: number, time: number][] = [];
  private kept?: [Run, JobEvent[]][] = [];
  private runs: Run[] = [];
  private stops: (() => void)[] = [];
  private observer?: ResizeObserver;
  private rereading = 0;
  private readonly onTheme = (): void => this.drawn.forEach((chart) => chart.rebuild());

  connectedCallback(): void {
    this.observer = new ResizeObserver(() => this.drawn.forEach((chart) => chart.resize()));
    this.observer.observe(this);
    document.addEventListener("aifs:theme", this.onTheme);
    this.runs = this.dataset.runs ? (JSON.parse(this.dataset.runs) as Run[]) : [{ id: this.dataset.job ?? "", name: "" }];
    this.append(this.machine);
    if (!this.free) this.addChart(this.wanted[0]!);
    void this.start();
  }

  disconnectedCallback(): void {
    this.stops.forEach((stop) => stop());
    this.observer?.disconnect();
    document.removeEventListener("aifs:theme", this.onTheme);
  }

  private get drawn(): Chart[] {
    return [...this.charts, ...this.strips.values()];
  }

  /** The series of each chart. */
  private get wanted(): string[][] {
    return (this.dataset.series ?? "*").split("|").map((names) => names.split(",").map((name) => name.trim()));
  }

  private get free(): boolean {
    return this.wanted[0]![0] === "*";
  }

  private get many(): boolean {
    return this.runs.length > 1;
  }

  private addChart(names: string[]): Chart {
    const lines = this.runs.flatMap((run) => names.map((name): Line => ({ key: key(run, name), label: this.many ? run.name : seriesName(name) })));
    const title = this.free ? seriesName(names[0]!) : (this.dataset.title ?? names.map(seriesName).join(", "));
    const first = this.charts.length === 0;
    const beneath = !first && !this.free;
    const chart: Chart = new Chart(lines, {
      title,
      unit: this.dataset.unit,
      log: this.dataset.log !== undefined,
      sync: beneath || (first && this.dataset.usage !== undefined) ? "run" : undefined,
      onZoom: (range) => void this.zoom(chart, names, range),
      onMarker: (step) => document.getElementById(`checkpoint-${step}`)?.focus(),
      ...(beneath ? { height: STRIP_HEIGHT, plain: true, grounded: {} } : {}),
    });
    this.charts.push(chart);
    if (this.free) this.classList.add("chart-grid");
    if (beneath) this.machine.before(chart.element);
    else this.append(chart.element);
    chart.element.toggleAttribute("data-strip", beneath);
    if (first) chart.element.append(this.machine);
    if (first && this.dataset.usage !== undefined) chart.element.dataset.wide = ""; // the machine stands beneath
    if (this.dataset.markers && !names.some(isDevice)) chart.mark(JSON.parse(this.dataset.markers) as number[]);
    return chart;
  }

  private async start(): Promise<void> {
    for (const run of this.runs) this.stops.push(watchJob(run.id, { onEvents: (events) => (this.kept ? this.kept.push([run, events]) : this.onEvents(run, events)) }));
    await Promise.all(this.runs.map((run) => this.read(run).catch(() => undefined))); // live news come all the same
    const { kept } = this;
    this.kept = undefined; // history first, so that charts stand in their order
    kept?.forEach(([run, events]) => this.onEvents(run, events));
    this.redraw(this.charts);
    this.drawUsage();
  }

  private async read(run: Run): Promise<void> {
    const names = this.free ? [] : [...this.wanted.flat(), ...(this.dataset.usage === undefined ? [] : [DEVICES])];
    const series = await readSeries(run.id, names);
    for (const [name, found] of Object.entries(series).sort(([a], [b]) => rank(a) - rank(b))) {
      if (isDevice(name)) this.keepUsage(name, found);
      else this.fill(run, name, found);
    }
  }

  private fill(run: Run, name: string, found: Series): void {
    const chart = this.chartOf(run, name);
    chart?.clear(key(run, name));
    for (const [step, value] of points(found)) chart?.add(key(run, name), step, value);
    if (found.times?.length > this.clock.length) this.clock = found.steps.map((step, index): [number, number] => [step, found.times[index]!]);
  }

  private chartOf(run: Run, name: string): Chart | undefined {
    const known = this.charts.find((chart) => chart.has(key(run, name)));
    if (known || isDevice(name)) return known;
    const names = this.free ? [name] : this.wanted.find((together) => together.includes(name));
    return names && this.addChart(names);
  }

  /** What stands beneath the first chart reaches as far as it does. */
  private redraw(charts: Iterable<Chart>): void {
    const [first] = this.charts;
    for (const chart of charts) {
      if (first && chart !== first && !this.free) chart.reach(first.extent());
      chart.redraw();
    }
  }

  private async zoom(chart: Chart, names: string[], range: [number, number] | null): Promise<void> {
    if (!range) return chart.redraw();
    for (const run of this.runs) {
      try {
        const near = await readSeries(run.id, names, range);
        for (const [name, found] of Object.entries(near)) chart.refine(key(run, name), points(found));
      } catch {
        // The outline stays.
      }
    }
  }

  private onEvents(run: Run, events: JobEvent[]): void {
    const touched = new Set<Chart>();
    let busy = false;
    for (const event of events) {
      if (event.type !== "metric") continue;
      for (const [name, value] of Object.entries((event.values ?? {}) as Record<string, number | null>)) {
        if (value === null) continue;
        const step = Number(event.step);
        if (isDevice(name)) {
          this.usage.set(name, [...(this.usage.get(name) ?? []).filter(([time]) => time < step), [step, value]]);
          busy = true;
          continue;
        }
        const chart = this.chartOf(run, name);
        chart?.add(key(run, name), step, value);
        if (!chart) continue;
        touched.add(chart);
        if (chart.size(key(run, name)) > 2 * MOST_POINTS) this.readAgain(run);
        if (step > (this.clock.at(-1)?.[0] ?? -1)) this.clock.push([step, Date.now() / 1000]);
      }
    }
    this.redraw(touched);
    if (busy) this.drawUsage();
  }

  /** Live points pile up; now and then the outline is asked for anew. */
  private readAgain(run: Run): void {
    if (this.rereading) return;
    this.rereading = window.setTimeout(() => {
      this.rereading = 0;
      void this.read(run).then(() => this.redraw(this.charts));
    }, 1000);
  }

  // --- what the machine did

  private keepUsage(name: string, found: Series): void {
    this.usage.set(name, points(found));
  }

  private drawUsage(): void {
    if (this.dataset.usage === undefined || this.many || !this.usage.size) return;
    const bySteps = this.clock.length > 1;
    this.makeStrips(bySteps);
    const start = Math.min(...[...this.usage.values()].map((all) => all[0]?.[0] ?? Infinity));
    for (const strip of this.strips.values()) {
      if (bySteps) strip.reach(this.charts[0]?.extent() ?? []);
      for (const { key: name } of strip.lines) {
        strip.clear(name);
        for (const [time, value] of this.usage.get(name) ?? []) strip.add(name, bySteps ? stepAt(time, this.clock) : time - start, value);
      }
      strip.redraw();
    }
  }

  /** One for shares, one for memory: they have no unit in common. Made anew when a device is seen for the first time. */
  private makeStrips(bySteps: boolean): void {
    const stale = bySteps !== this.bySteps;
    this.bySteps = bySteps;
    for (const [ending, title, unit] of [["_pct", t("Utilisation"), "%"], ["_mib", t("Memory"), "MiB"]] as const) {
      const names = [...this.usage.keys()].filter((name) => name.endsWith(ending)).sort(byDevice);
      const known = this.strips.get(ending);
      if (!names.length || (!stale && known?.lines.length === names.length)) continue;
      const lines = names.map((name): Line => ({ key: name, label: seriesName(name) }));
      const axis = bySteps ? undefined : (seconds: number): string => `${Math.round(seconds)} s`;
      const strip = new Chart(lines, { title, unit, height: STRIP_HEIGHT, plain: true, grounded: unit === "%" ? { most: 100 } : {}, sync: bySteps ? "run" : "strips", axis });
      strip.element.dataset.strip = "";
      if (known) known.replaceWith(strip);
      else if (ending === "_pct") this.machine.prepend(strip.element);
      else this.machine.append(strip.element);
      this.strips.set(ending, strip);
    }
  }
}

/** What readers look for first stands first. */
function rank(name: string): number {
  const order = ["loss", "eval_loss", "accuracy", "tokens_per_s", "running", "waiting"];
  const at = order.indexOf(name);
  return at < 0 ? order.length : at;
}

customElements.define("metric-chart", MetricChart);
