/** Lists: filters that apply at once, chosen rows, and coming back to a list as it was left. */
import { t } from "./words";

const PREFIX = "aifs-list-";
const NOT_KEPT = ["before", "after", "all", "format"];

/** Links to a list lead to how it was left in this window; its own page, and the links that sort and turn, say what they mean. */
function rememberLists(): void {
  const form = document.querySelector<HTMLElement>("form[data-list]");
  if (form) {
    const query = new URLSearchParams(location.search);
    for (const name of NOT_KEPT) query.delete(name);
    if (String(query)) sessionStorage.setItem(PREFIX + location.pathname, String(query));
    else sessionStorage.removeItem(PREFIX + location.pathname);
  }
  for (const link of document.querySelectorAll<HTMLAnchorElement>("#rail a, .crumbs a, .tabs-line a")) {
    const kept = link.search ? null : sessionStorage.getItem(PREFIX + link.pathname);
    if (kept && link.pathname !== location.pathname) link.search = kept;
  }
}

const boxes = (): HTMLInputElement[] => [...document.querySelectorAll<HTMLInputElement>("input[form=list-bulk][name=ids]")];

/** How many are chosen; the button asks for some first. */
function count(): void {
  const form = document.querySelector<HTMLElement>("form[data-bulk]");
  if (!form) return;
  const chosen = boxes().filter((box) => box.checked).length;
  form.querySelector("[data-bulk-count]")!.textContent = chosen ? t("{count} chosen", { count: chosen }) : "";
  form.toggleAttribute("data-none", !chosen);
  const all = document.querySelector<HTMLInputElement>("[data-bulk-all]");
  if (all) {
    all.checked = chosen > 0 && chosen === boxes().length;
    all.indeterminate = chosen > 0 && !all.checked;
  }
}

export function startLists(): void {
  document.addEventListener("change", (event) => {
    const control = event.target as HTMLInputElement;
    if (control.matches("[data-list] [data-submit]")) control.form?.requestSubmit();
    if (control.matches("[data-bulk-all]")) for (const box of boxes()) box.checked = control.checked;
    if (control.matches("[data-bulk-all], [form=list-bulk]")) count();
  });
  document.addEventListener("submit", (event) => {
    const form = event.target as HTMLFormElement;
    if (!form.matches("form[data-list]")) return;
    // an address without what is empty is easier to read and to share
    for (const control of form.querySelectorAll<HTMLInputElement>("input[name], select[name]")) control.disabled = control.value === "";
    addEventListener("pageshow", () => form.querySelectorAll<HTMLInputElement>("[name]").forEach((control) => (control.disabled = false)));
    if (![...form.querySelectorAll<HTMLInputElement>("[name]")].some((control) => !control.disabled)) {
      event.preventDefault();
      location.assign(`${location.pathname}?all=1`);
    }
  });
  rememberLists();
  count();
}
