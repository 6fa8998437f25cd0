/** `<file-upload data-name data-project data-accept>`: drop or choose a file; it travels in pieces while the rest of the form is
 *  filled in. The hidden input `data-name` gets the id of the upload. A plain `<input type=file>` inside is taken over. */
import { el, icon, Problem } from "../dom";
import { upload } from "../tus";
import { bytes, duration, t } from "../words";

class FileUpload extends HTMLElement {
  private abort?: AbortController;
  private busy = false;
  private wantsSubmit?: HTMLElement | null;
  private startedAt = 0;
  private readonly hiddenInput = el("input", { type: "hidden" });
  private readonly file = el("input", { type: "file" });
  private readonly heading = el("span", { class: "text-sm font-medium" });
  private readonly hint = el("span", { class: "text-sm text-base-content/70" });
  private readonly bar = el("progress", { class: "meter max-w-xs", max: 1, value: 0, hidden: true, "aria-label": t("Upload") });
  private readonly error = el("p", { class: "field-error mt-2", role: "alert", hidden: true });
  private readonly zone = el("label", { class: "drop-zone" }, icon("cloud-upload", "size-7 text-primary"), this.heading, this.hint, this.bar, this.file);

  connectedCallback(): void {
    const plain = this.querySelector<HTMLInputElement>("input");
    this.hiddenInput.name = this.dataset.name ?? plain?.name ?? "upload";
    this.hiddenInput.value = this.dataset.value ?? (plain?.type === "file" ? "" : (plain?.value ?? ""));
    if (plain?.id) this.file.id = plain.id;
    this.file.accept = this.dataset.accept ?? plain?.accept ?? "";
    const described = plain?.getAttribute("aria-describedby");
    if (described) this.file.setAttribute("aria-describedby", described);
    this.invite();
    this.replaceChildren(this.zone, this.error, this.hiddenInput);
    this.file.addEventListener("change", () => {
      const chosen = this.file.files?.[0];
      if (chosen) void this.send(chosen);
    });
    for (const name of ["dragover", "dragleave", "drop"]) this.zone.addEventListener(name, (event) => this.onDrag(event as DragEvent));
    this.closest("form")?.addEventListener("submit", (event) => this.onSubmit(event), { capture: true });
    const already = plain?.type === "file" ? plain.files?.[0] : undefined; // chosen before this script was here
    if (already) void this.send(already);
  }

  disconnectedCallback(): void {
    this.abort?.abort();
  }

  private invite(): void {
    this.heading.textContent = this.hiddenInput.value ? t("The file is already here") : t("Drop a file here, or choose one");
    this.hint.textContent = this.dataset.hint ?? "";
  }

  private onDrag(event: DragEvent): void {
    event.preventDefault();
    this.zone.toggleAttribute("data-over", event.type === "dragover");
    const dropped = event.type === "drop" ? event.dataTransfer?.files[0] : undefined;
    if (dropped) void this.send(dropped);
  }

  /** A form sent too early waits for its file. */
  private onSubmit(event: SubmitEvent): void {
    if (!this.busy) return;
    event.preventDefault();
    event.stopPropagation();
    this.wantsSubmit = event.submitter;
    this.hint.textContent = t("The form goes on as soon as the file is here.");
  }

  private async send(file: File): Promise<void> {
    this.abort?.abort();
    const abort = new AbortController();
    this.abort = abort;
    this.busy = true;
    this.startedAt = Date.now();
    this.error.hidden = true;
    this.hiddenInput.value = "";
    this.bar.hidden = false;
    this.heading.textContent = file.name;
    try {
      const project = this.dataset.project ?? document.querySelector<HTMLMetaElement>('meta[name="aifs-project"]')?.content ?? "";
      const id = await upload("/api/v1/uploads/", file, project, (sent) => this.show(sent, file.size), abort.signal);
      if (this.abort !== abort) return;
      this.arrived(id, file);
    } catch (error) {
      if (this.abort !== abort) return;
      this.failed(error);
    }
  }

  private show(sent: number, total: number): void {
    this.bar.value = total ? sent / total : 1;
    const passed = (Date.now() - this.startedAt) / 1000;
    const left = sent > 0 && passed > 2 ? t("{time} left", { time: duration((passed / sent) * (total - sent)) }) : "";
    this.hint.textContent = [t("{sent} of {total}", { sent: bytes(sent), total: bytes(total) }), left].filter(Boolean).join(" · ");
  }

  private arrived(id: string, file: File): void {
    this.busy = false;
    this.hiddenInput.value = id;
    this.bar.hidden = true;
    this.hint.textContent = `${bytes(file.size)} · ${t("uploaded")}`;
    this.dispatchEvent(new CustomEvent("uploaded", { bubbles: true, detail: { id, name: file.name, size: file.size } }));
    if (this.wantsSubmit !== undefined) this.closest("form")?.requestSubmit(this.wantsSubmit as HTMLButtonElement | null);
    this.wantsSubmit = undefined;
  }

  private failed(error: unknown): void {
    this.busy = false;
    this.wantsSubmit = undefined;
    this.bar.hidden = true;
    this.invite();
    const said = error instanceof Problem ? error.message : t("The upload was interrupted. Choose the file again to try once more.");
    this.error.replaceChildren(icon("circle-alert"), said);
    this.error.hidden = false;
    this.file.value = "";
  }
}

customElements.define("file-upload", FileUpload);
