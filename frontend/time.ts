/** Relative times that stay true while a page is open. */
import { language } from "./words";

const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
const steps: [number, Intl.RelativeTimeFormatUnit][] = [
  [60, "second"],
  [60, "minute"],
  [24, "hour"],
  [30, "day"],
  [12, "month"],
  [Number.POSITIVE_INFINITY, "year"],
];

export function ago(at: Date, now = Date.now()): string {
  let amount = (at.getTime() - now) / 1000;
  for (const [size, unit] of steps) {
    if (Math.abs(amount) < size) return relative.format(Math.trunc(amount), unit);
    amount /= size;
  }
  return "";
}

function refresh(): void {
  for (const element of document.querySelectorAll<HTMLTimeElement>("time[datetime]:not([data-absolute])")) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const text = ago(at);
    if (element.textContent !== text) element.textContent = text;
  }
}

export function startTimes(): void {
  refresh();
  setInterval(() => {
    if (!document.hidden) refresh();
  }, 15_000);
  document.addEventListener("visibilitychange", refresh);
  document.addEventListener("htmx:afterSwap", refresh);
}
