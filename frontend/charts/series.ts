/** The series of a job as the server keeps them: no more points than a chart has pixels, read again for a stretch. */
import { getJson } from "../dom";
import { t } from "../words";

export interface Series {
  steps: number[];
  values: (number | null)[];
  times: number[];
  thinned?: boolean;
}

export const MOST_POINTS = 1_600;

export async function readSeries(job: string, names: string[] = [], range?: [number, number]): Promise<Record<string, Series>> {
  const asked = new URLSearchParams({ points: String(MOST_POINTS) });
  if (names.length) asked.set("names", names.join(","));
  if (range) {
    asked.set("from", String(Math.max(0, range[0])));
    asked.set("to", String(Math.max(0, range[1])));
  }
  const { series } = await getJson<{ series: Record<string, Series> }>(`/api/v1/jobs/${job}/metrics/?${asked}`);
  return series;
}

/** Numbers only: a value that is none (a loss that blew up) leaves a gap. */
export function points(series: Series): [number, number][] {
  const found: [number, number][] = [];
  series.steps.forEach((step, index) => {
    const value = series.values[index];
    if (value !== null && value !== undefined) found.push([step, value]);
  });
  return found;
}

/** What asks the server for every series of the machine, whatever devices it has. */
export const DEVICES = "device.*";
export const isDevice = (name: string): boolean => name.startsWith("device.");

/** What is not an accelerator's first, then accelerators by their numbers. */
export function byDevice(a: string, b: string): number {
  const number = (name: string): number => Number(/\d+/.exec(name)?.[0] ?? -1);
  return number(a) - number(b);
}

/** Words for the series that runs emit; others are shown under their own name. */
export function seriesName(name: string): string {
  const known: Record<string, string> = {
    loss: t("Loss"),
    eval_loss: t("Held-out loss"),
    learning_rate: t("Learning rate"),
    grad_norm: t("Gradient norm"),
    epoch: t("Epoch"),
    tokens_per_s: t("Tokens per second"),
    memory_mib: t("Memory (MiB)"),
    accuracy: t("Accuracy"),
    running: t("Running requests"),
    waiting: t("Waiting requests"),
    requests: t("Requests so far"),
    cache_use: t("Cache in use (share)"),
    check: t("Check value"),
    "device.cpu_pct": t("Processor (% of its cores)"),
    "device.memory_mib": t("Memory (MiB)"),
  };
  const gpu = /^device\.gpu(\d+)_(pct|memory_mib)$/.exec(name);
  if (gpu) return gpu[2] === "pct" ? t("Accelerator {number} (%)", { number: gpu[1]! }) : t("Accelerator {number}, memory (MiB)", { number: gpu[1]! });
  return known[name] ?? name.replaceAll("_", " ");
}

/** Step at a moment, between the steps whose times are known. */
export function stepAt(time: number, clock: [step: number, time: number][]): number {
  const after = clock.findIndex(([, known]) => known >= time);
  if (after === 0) return clock[0]![0];
  if (after < 0) return clock.at(-1)![0];
  const [from, to] = [clock[after - 1]!, clock[after]!];
  return from[0] + ((to[0] - from[0]) * (time - from[1])) / Math.max(1e-9, to[1] - from[1]);
}
