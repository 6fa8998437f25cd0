/** Texts of the islands. The source language is English; `locale/zh_Hans/islands.json` holds the Chinese. */

type Catalogue = Record<string, string>;
let words: Catalogue = {};

/** The language of the page, as the browser's formatters want it. */
export const language = document.documentElement.lang || "en";

export async function loadWords(): Promise<void> {
  if (language.startsWith("zh")) words = (await import("../locale/zh_Hans/islands.json")).default;
}

/** The text in the reader's language, with `{name}` places filled in. */
export function t(text: string, values: Record<string, string | number> = {}): string {
  return (words[text] ?? text).replace(/\{(\w+)\}/g, (place, name: string) => String(values[name] ?? place));
}

const plain = new Intl.NumberFormat(language, { maximumFractionDigits: 2 });
const compactNumber = new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 });

export const number = (value: number): string => plain.format(value);
export const compact = (value: number): string => compactNumber.format(value);

/** A measurement with about four meaningful digits. */
export function measure(value: number): string {
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e7)) return value.toExponential(2);
  return new Intl.NumberFormat(language, { maximumSignificantDigits: 4 }).format(value);
}

/** A sum of money with its currency; below one with two meaningful digits: 0.0012 CNY. */
export function money(value: number, currency: string): string {
  const digits = value === 0 || Math.abs(value) >= 1 ? 2 : Math.max(2, 1 - Math.floor(Math.log10(Math.abs(value))));
  return `${value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits })} ${currency}`;
}

/** Seconds in words: 42 s, 3 min 20 s, 2 h 5 min, 3 d 4 h. */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const parts: [number, string][] = [
    [Math.floor(s / 86_400), t("{n} d")],
    [Math.floor((s % 86_400) / 3600), t("{n} h")],
    [Math.floor((s % 3600) / 60), t("{n} min")],
    [s % 60, t("{n} s")],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return t("{n} s").replace("{n}", "0");
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => unit.replace("{n}", String(count)))
    .join(" ");
}

/** Bytes with a binary unit. */
export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let amount = value;
  let unit = 0;
  while (amount >= 1024 && unit < units.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${amount.toFixed(unit === 0 || amount >= 100 ? 0 : 1)} ${units[unit]}`;
}
