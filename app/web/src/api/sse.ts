/** One event of the stream: the decoded JSON of its data lines. */
export interface StreamEvent {
  event: string;
  [key: string]: unknown;
}

/**
 * Splits a byte stream into server-sent events. Characters and lines cut in two by the network are put
 * together again; comments, keep-alives without data and lines that are no JSON are skipped.
 */
export class SseParser {
  private readonly decoder = new TextDecoder('utf-8');
  private rest = '';
  private data: string[] = [];
  private name = '';

  /** Feeds bytes; returns the events completed by them. */
  push(bytes: Uint8Array): StreamEvent[] {
    return this.lines(this.decoder.decode(bytes, { stream: true }));
  }

  /** Ends the stream; returns an event that lacked only its closing empty line. */
  end(): StreamEvent[] {
    const events = this.lines(`${this.decoder.decode()}\n`);
    const last = this.finish();
    return last ? [...events, last] : events;
  }

  private lines(text: string): StreamEvent[] {
    const events: StreamEvent[] = [];
    const parts = (this.rest + text).split('\n');
    this.rest = parts.pop() ?? '';
    for (const part of parts) {
      const line = part.endsWith('\r') ? part.slice(0, -1) : part;
      if (line === '') {
        const event = this.finish();
        if (event) events.push(event);
      } else if (line.startsWith('data:')) {
        this.data.push(line.slice(line[5] === ' ' ? 6 : 5));
      } else if (line.startsWith('event:')) {
        this.name = line.slice(6).trim();
      }
    }
    return events;
  }

  private finish(): StreamEvent | undefined {
    const text = this.data.join('\n');
    const name = this.name;
    this.data = [];
    this.name = '';
    if (!text) return undefined;
    try {
      const value: unknown = JSON.parse(text);
      if (!value || typeof value !== 'object') return undefined;
      return { event: name || 'message', ...value };
    } catch {
      return undefined;
    }
  }
}

/** Yields the events of an answer's body until it ends. */
export async function* readEvents(answer: Response): AsyncGenerator<StreamEvent> {
  if (!answer.body) return;
  const reader = answer.body.getReader();
  const parser = new SseParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      yield* parser.push(value);
    }
    yield* parser.end();
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
