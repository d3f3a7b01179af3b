import { setMaxListeners } from 'node:events';

setMaxListeners(0); // Node warns above ten listeners; a session has more, and gives them back

// Two ends of a data channel in memory: reliable, ordered, with a buffer that drains as the other side receives.

class End extends EventTarget {
  readyState = 'open';
  bufferedAmount = 0;
  bufferedAmountLowThreshold = 0;
  binaryType = 'blob';
  other = null;
  /** messages on their way to the other end */
  flight = [];
  /** bytes delivered in all, and a hook that may change or swallow a message: (data) => data | null */
  delivered = 0;
  mangle = (data) => data;
  #delivering = false;

  send(data) {
    if (this.readyState !== 'open') throw new Error('InvalidStateError');
    const copy = typeof data === 'string' ? data : data.slice().buffer;
    this.flight.push(copy);
    this.bufferedAmount += size(copy);
    this.#deliver();
  }

  close() { cut(this); }

  async #deliver() {
    if (this.#delivering) return;
    this.#delivering = true;
    while (this.flight.length > 0) {
      await new Promise((next) => setImmediate(next));
      // A handful a turn, so that both sides are under way at the same time.
      for (let i = 0; i < 8 && this.flight.length > 0; i++) this.#hand(this.flight.shift());
    }
    this.#delivering = false;
  }

  #hand(raw) {
    const before = this.bufferedAmount;
    this.bufferedAmount -= size(raw);
    this.delivered += size(raw);
    const data = this.mangle(raw);
    if (data !== null) this.other.dispatchEvent(new MessageEvent('message', { data }));
    const low = this.bufferedAmountLowThreshold;
    if (before > low && this.bufferedAmount <= low) this.dispatchEvent(new Event('bufferedamountlow'));
  }
}

const size = (data) => (typeof data === 'string' ? data.length : data.byteLength);

export function channelPair() {
  const a = new End();
  const b = new End();
  a.other = b;
  b.other = a;
  return [a, b];
}

/** The connection is gone, and what was under way with it. */
export function cut(end) {
  for (const side of [end, end.other]) {
    side.flight.length = 0;
    side.readyState = 'closed';
  }
  for (const side of [end, end.other]) side.dispatchEvent(new Event('close'));
}

/** Resolves when check() holds; it is asked again after each event named. */
export function until(target, events, check) {
  return new Promise((resolve) => {
    const look = () => {
      if (!check()) return;
      for (const event of events) target.removeEventListener(event, look);
      resolve();
    };
    for (const event of events) target.addEventListener(event, look);
    look();
  });
}

/** Lets everything that is under way in memory arrive. */
export async function settle(turns = 20) {
  for (let i = 0; i < turns; i++) await new Promise((next) => setImmediate(next));
}

/** Plays the other side by hand: what it gets, and a way to say anything. */
export function puppet(end) {
  const frames = [];
  const chunks = [];
  end.addEventListener('message', (e) => {
    if (typeof e.data === 'string') frames.push(JSON.parse(e.data));
    else chunks.push(new Uint8Array(e.data));
  });
  return { frames, chunks, say: (frame) => end.send(typeof frame === 'object' && !(frame instanceof Uint8Array) ? JSON.stringify(frame) : frame) };
}

/** Resolves in the very turn in which check() holds, not when a rate-limited event tells of it. */
export async function when(check) {
  while (!check()) await new Promise((next) => setImmediate(next));
}
