/** `<params-form>` around ui/params_form.html: simple, expert or YAML (what was typed stays), search, marks on what was changed. */
import { ParamsYaml } from "../params-yaml";
import { t } from "../words";

const KEY = "aifs-form-mode";
type Control = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

/** What a parameter holds now, written as its default is. */
function valueOf(controls: Control[]): string {
  const first = controls[0];
  if (!(first instanceof HTMLInputElement)) return first?.value ?? "";
  if (first.type === "checkbox") return String(first.checked);
  if (first.type === "radio") return controls.find((one) => (one as HTMLInputElement).checked)?.value ?? "";
  return first.value;
}

class ParamsForm extends HTMLElement {
  private yaml?: ParamsYaml;
  private mode = "simple";

  connectedCallback(): void {
    const part = this.querySelector<HTMLElement>("[data-yaml-part]");
    if (part && this.dataset.yaml) this.yaml = new ParamsYaml(this, part, this.dataset.yaml);
    this.closest("form")?.addEventListener("submit", (event) => this.beforeSubmit(event), true);
    const wrong = this.querySelector("[data-expert] .field-error:not([hidden])");
    this.setMode(wrong ? "expert" : (this.dataset.mode ?? localStorage.getItem(KEY) ?? "simple"));
    for (const button of this.querySelectorAll<HTMLButtonElement>("button[data-mode-to]")) {
      button.addEventListener("click", () => void this.choose(button.dataset.modeTo ?? "simple"));
    }
    this.querySelector<HTMLInputElement>("[data-param-search]")?.addEventListener("input", (event) => this.find((event.target as HTMLInputElement).value));
    this.addEventListener("input", () => this.mark());
    this.addEventListener("change", () => this.mark());
    this.addEventListener("click", (event) => {
      const reset = (event.target as Element).closest<HTMLElement>("[data-reset]");
      if (reset) this.reset(reset.closest<HTMLElement>("[data-default]"));
    });
    this.mark();
    this.querySelector<HTMLElement>(".field:has(.field-error:not([hidden])) :is(input, select, textarea):not([type=hidden])")?.focus();
  }

  /** YAML is left only once it can be read into the controls, so that nothing typed is lost. */
  private async choose(mode: string): Promise<void> {
    if (mode === this.mode) return;
    if (this.mode === "yaml" && this.yaml && !(await this.yaml.apply())) {
      this.querySelector<HTMLElement>("[data-yaml-problems] button")?.focus();
      return;
    }
    this.setMode(mode);
    if (mode === "yaml") await this.yaml?.open();
    else localStorage.setItem(KEY, mode);
  }

  /** Sent from the YAML side: the controls are what the server gets, so the text goes into them first. */
  private beforeSubmit(event: SubmitEvent): void {
    if (this.mode !== "yaml" || !this.yaml?.changed) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const { submitter } = event;
    void this.yaml.apply().then((right) => {
      if (right) this.closest("form")?.requestSubmit(submitter);
      else this.querySelector<HTMLElement>("[data-yaml-problems] button")?.focus();
    });
  }

  private setMode(mode: string): void {
    this.mode = mode;
    const yaml = mode === "yaml";
    this.querySelector<HTMLElement>("[data-yaml-part]")?.toggleAttribute("hidden", !yaml);
    this.querySelector<HTMLElement>("[data-fields]")?.toggleAttribute("hidden", yaml);
    const expert = mode === "expert" && !!this.querySelector("[data-expert]");
    for (const part of this.querySelectorAll<HTMLElement>("[data-expert]")) part.hidden = !expert;
    for (const button of this.querySelectorAll<HTMLElement>("button[data-mode-to]")) {
      button.setAttribute("aria-pressed", String(button.dataset.modeTo === (yaml ? "yaml" : expert ? "expert" : "simple")));
    }
  }

  private find(text: string): void {
    const wanted = text.trim().toLowerCase();
    let found = 0;
    for (const group of this.querySelectorAll<HTMLDetailsElement>("details[data-group]")) {
      let inGroup = 0;
      for (const field of group.querySelectorAll<HTMLElement>("[data-param]")) {
        const matches = !wanted || `${field.dataset.param} ${field.textContent}`.toLowerCase().includes(wanted);
        field.hidden = !matches;
        if (matches) inGroup += 1;
      }
      group.hidden = !inGroup;
      if (wanted) group.open = inGroup > 0;
      found += inGroup;
    }
    const said = this.querySelector("[data-param-found]");
    if (said) said.textContent = wanted ? t("{count} parameters", { count: found }) : "";
  }

  private controls(holder: HTMLElement): Control[] {
    return [...holder.querySelectorAll<Control>("input:not([type=hidden]), select, textarea")];
  }

  private mark(): void {
    let changed = 0;
    for (const holder of this.querySelectorAll<HTMLElement>("[data-default]")) {
      const controls = this.controls(holder);
      if (!controls.length) continue;
      const differs = valueOf(controls) !== holder.dataset.default;
      holder.toggleAttribute("data-changed", differs);
      const button = holder.querySelector<HTMLElement>("[data-reset]");
      if (button) button.hidden = !differs;
      if (differs && holder.closest("[data-expert]")) changed += 1;
    }
    for (const place of this.querySelectorAll("[data-changed-count]")) place.textContent = changed ? t("{count} changed", { count: changed }) : "";
  }

  private reset(holder: HTMLElement | null): void {
    const control = holder && this.controls(holder)[0];
    if (!holder || !control) return;
    const value = holder.dataset.default ?? "";
    if (control instanceof HTMLInputElement && control.type === "checkbox") control.checked = value === "true";
    else control.value = value;
    control.focus();
    control.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

customElements.define("params-form", ParamsForm);
