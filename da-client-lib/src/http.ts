import { AbortError, HttpClient, HttpError, HttpResponse, TimeoutError, type HttpRequest } from "@microsoft/signalr";

/**
 * SignalR's requests by fetch. It remembers the status of the last refusal,
 * which Microsoft's client hides in a text, and, where there is no browser to
 * do so, the cookies that a balancer may have set.
 */
export class WatchedHttp extends HttpClient {
  /** The status of the last answer that was no success; 0 as long as there is none. */
  status = 0;
  /** For how long the last answer asked to be left alone, in milliseconds. */
  retryAfter = 0;
  private readonly cookies = new Map<string, string>();

  override async send(request: HttpRequest): Promise<HttpResponse> {
    if (request.method === undefined || request.url === undefined) throw new TypeError("a request needs a method and a URL");
    const ending = new AbortController();
    let late = false;
    const stop = (): void => ending.abort();
    if (request.abortSignal) {
      if (request.abortSignal.aborted) throw new AbortError();
      request.abortSignal.onabort = stop;
    }
    const timer = request.timeout ? setTimeout(() => ((late = true), stop()), request.timeout) : undefined;
    try {
      const answer = await fetch(request.url, this.init(request, ending.signal));
      this.keepCookies(answer);
      if (!answer.ok) {
        this.status = answer.status;
        this.retryAfter = 1000 * (Number(answer.headers.get("Retry-After")) || 0);
        throw new HttpError((await answer.text()) || answer.statusText, answer.status);
      }
      const body = await (request.responseType === "arraybuffer" ? answer.arrayBuffer() : answer.text());
      return new HttpResponse(answer.status, answer.statusText, body as string);
    } catch (error) {
      if (late) throw new TimeoutError();
      if (ending.signal.aborted) throw new AbortError();
      throw error;
    } finally {
      clearTimeout(timer);
      if (request.abortSignal) request.abortSignal.onabort = null;
    }
  }

  override getCookieString(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  }

  private init(request: HttpRequest, signal: AbortSignal): RequestInit {
    const headers: Record<string, string> = { "X-Requested-With": "XMLHttpRequest", ...(request.headers as Record<string, string>) };
    const cookies = this.getCookieString();
    if (cookies !== "") headers["Cookie"] = cookies;
    const { content } = request;
    const hasBody = content !== undefined && content !== "" && (typeof content === "string" || content.byteLength > 0);
    if (hasBody) headers["Content-Type"] = typeof content === "string" ? "text/plain;charset=UTF-8" : "application/octet-stream";
    return {
      method: request.method!,
      headers,
      body: hasBody ? content : null,
      cache: "no-cache",
      credentials: request.withCredentials === true ? "include" : "same-origin",
      mode: "cors",
      redirect: "follow",
      signal,
    };
  }

  private keepCookies(answer: Response): void {
    if ((globalThis as { document?: unknown }).document !== undefined) return; // the browser does
    const headers = answer.headers as Headers & { getSetCookie?(): string[] };
    for (const line of headers.getSetCookie?.() ?? []) {
      const m = /^([^=;]+)=([^;]*)/.exec(line);
      if (m) this.cookies.set(m[1]!.trim(), m[2]!);
    }
  }
}
