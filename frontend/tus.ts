/** Uploads by the tus protocol 1.0: in pieces, taken up again where a lost connection left them. */
import { csrf, Problem, problemOf } from "./dom";

const PIECE = 8 << 20;
const TRIES = 6;
const VERSION = { "Tus-Resumable": "1.0.0" };

const base64 = (text: string): string => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

async function create(url: string, file: File, project: string, signal: AbortSignal): Promise<string> {
  const response = await fetch(url, {
    method: "POST",
    credentials: "same-origin",
    signal,
    headers: {
      ...VERSION,
      Accept: "application/json",
      "X-CSRFToken": csrf(),
      "Upload-Length": String(file.size),
      "Upload-Metadata": `filename ${base64(file.name)},project ${base64(project)}`,
    },
  });
  if (!response.ok) throw await problemOf(response);
  const location = response.headers.get("Location");
  if (!location) throw new Problem("The server named no place for the upload.", response.status, "no_location");
  return new URL(location, new URL(url, window.location.href)).pathname;
}

async function offsetAt(place: string, signal: AbortSignal): Promise<number> {
  const response = await fetch(place, { method: "HEAD", credentials: "same-origin", headers: VERSION, signal });
  if (!response.ok) throw await problemOf(response);
  return Number(response.headers.get("Upload-Offset") ?? 0);
}

/** One piece by XMLHttpRequest: fetch says nothing about how much has gone. */
function patch(place: string, piece: Blob, offset: number, onSent: (bytes: number) => void, signal: AbortSignal): Promise<number> {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();
    request.open("PATCH", place);
    request.setRequestHeader("Tus-Resumable", "1.0.0");
    request.setRequestHeader("Upload-Offset", String(offset));
    request.setRequestHeader("Content-Type", "application/offset+octet-stream");
    request.setRequestHeader("X-CSRFToken", csrf());
    request.setRequestHeader("Accept", "application/json");
    request.upload.onprogress = (event) => onSent(offset + event.loaded);
    request.onload = () => {
      if (request.status < 300) done(Number(request.getResponseHeader("Upload-Offset") ?? offset + piece.size));
      else void problemOf(new Response(request.responseText, { status: request.status })).then(fail);
    };
    request.onerror = () => fail(new TypeError("network"));
    signal.addEventListener("abort", () => {
      request.abort();
      fail(new DOMException("aborted", "AbortError"));
    });
    request.send(piece);
  });
}

const gaveUp = (error: unknown, signal: AbortSignal): boolean =>
  signal.aborted || (error instanceof Problem && error.status < 500 && error.status !== 409 && error.status !== 423);

/** Sends a file and answers the upload's id. `onSent(bytes)` hears how far it is. Throws a Problem the server explained. */
export async function upload(url: string, file: File, project: string, onSent: (bytes: number) => void, signal: AbortSignal): Promise<string> {
  const place = await create(url, file, project, signal);
  let offset = 0;
  let tries = 0;
  while (offset < file.size) {
    try {
      offset = await patch(place, file.slice(offset, offset + PIECE), offset, onSent, signal);
      tries = 0;
    } catch (error) {
      tries += 1;
      if (gaveUp(error, signal) || tries > TRIES) throw error;
      await new Promise((done) => setTimeout(done, 500 * 2 ** tries));
      offset = await offsetAt(place, signal).catch(() => offset);
    }
  }
  onSent(file.size);
  return place.replace(/\/+$/, "").split("/").pop() ?? "";
}
