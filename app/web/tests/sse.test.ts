import { describe, expect, it } from 'vitest';

import { SseParser, type StreamEvent } from '../src/api/sse';

const bytes = (text: string) => new TextEncoder().encode(text);

function feed(text: string, size: number): StreamEvent[] {
  const parser = new SseParser();
  const all = bytes(text);
  const events: StreamEvent[] = [];
  for (let i = 0; i < all.length; i += size) events.push(...parser.push(all.slice(i, i + size)));
  return [...events, ...parser.end()];
}

describe('SseParser', () => {
  const stream = 'event: ping\n\n: comment\n\ndata: {"event":"message","answer":"滤芯每两周更换🐦"}\r\n\r\ndata: {"event":"message_end"}\n\n';
  it('gives the same events however the bytes are cut', () => {
    const whole = feed(stream, 10_000);
    expect(whole.map((e) => e.event)).toEqual(['message', 'message_end']);
    expect(whole[0]?.answer).toBe('滤芯每两周更换🐦');
    for (let size = 1; size < 12; size += 1) expect(feed(stream, size)).toEqual(whole);
  });
  it('skips garbage and gives an event without a closing line', () => {
    expect(feed('data: {broken\n\ndata: 12\n\ndata: {"event":"error","code":"x"}', 5)).toEqual([{ event: 'error', code: 'x' }]);
  });
  it('joins the data lines of one event', () => {
    expect(feed('data: {"event":\ndata: "message"}\n\n', 3)[0]?.event).toBe('message');
  });
});
