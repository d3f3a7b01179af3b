// @ts-check
// A file on its way in: from the channel, through a bounded queue, to a sink.
import { Sha256 } from './sha256.js';
import { Transfer, WINDOW } from './transfer.js';

/** @typedef {import('./sinks.js').Sink} Sink */

const ACK_BYTES = 1 << 20;
const WRITE_BYTES = 1 << 20; // joined into one write
// A window of tiny chunks would cost far more memory than its bytes.
const MAX_PENDING = 16 << 10; // chunks

/** waiting → active → verifying → done; interrupted goes on when the sender offers it again. */
export class InTransfer extends Transfer {
  /** @type {Sink|null} */
  #sink = null;
  #hash = new Sha256();
  /** received and not written yet @type {Uint8Array[]} */
  #pending = [];
  /** the writer, or the verification behind it, while there is one @type {Promise<void>|null} */
  #work = null;
  /** the hash that the sender told at its end */
  #expected = '';
  #lastAck = 0;
  #offers = 0;
  /** the sender offered it on the channel there is now, so an accept will be heard */
  #offered = true;

  /** @param {{id: string, name: string, size: number, mime: string}} offer @param {import('./transfer.js').Host} host */
  constructor(offer, host) { super({ ...offer, dir: 'in', phase: 'waiting' }, host); }

  /** Takes one of the places that the protocol allows. */
  get open() { return !this.finished; }

  /** @override @param {Sink} sink */
  accept(sink) {
    if (this.phase !== 'waiting') return void sink.abort().catch(() => {});
    this.#sink = sink;
    this.where = sink.where;
    this.phase = 'interrupted';
    if (this.#offered) this.#goOn(sink.offset);
    this.host.changed();
  }

  /** @override */
  decline() {
    if (this.phase === 'waiting') this.give('declined', 'declined', '');
  }

  /** The sender offers it again, in a new session. */
  async offeredAgain() {
    const offer = ++this.#offers;
    this.#offered = true;
    while (this.#work) await this.#work;
    // Another cut, and another offer, may have come meanwhile.
    if (offer !== this.#offers || !this.host.open()) return;
    if (this.phase === 'done') this.host.send({ t: 'accept', id: this.id, offset: this.size });
    else if (this.phase === 'interrupted' && this.#sink) this.#goOn(this.#sink.offset);
    else if (this.finished) this.host.send({ t: 'cancel', id: this.id, code: this.code, message: this.error });
  }

  /** @param {number} offset @param {Uint8Array} bytes */
  chunk(offset, bytes) {
    if (this.finished) return; // on its way when we gave it up
    if (this.phase !== 'active') return this.#bad('a chunk before accept');
    if (offset !== this.offset) return this.#bad(`a chunk at ${offset}, expected at ${this.offset}`);
    if (offset + bytes.length > this.size) return this.#bad('a chunk beyond the end');
    // A sender may look at the window before a chunk, not behind it: one more is no offence.
    if (offset - this.#lastAck > WINDOW) return this.#bad(`more than ${WINDOW} bytes beyond the last ack`);
    if (this.#pending.length >= MAX_PENDING) return this.#bad('too many small chunks');
    this.offset += bytes.length;
    this.#pending.push(bytes);
    this.#write();
    this.host.changed();
  }

  /** @param {string} sha256 */
  ended(sha256) {
    if (this.phase === 'done') {
      if (sha256 === this.sha256) this.host.send({ t: 'done', id: this.id, sha256 });
      else this.host.send({ t: 'cancel', id: this.id, code: 'bad-hash', message: 'It was complete with another hash.' });
      return;
    }
    if (this.finished) return;
    if (this.phase !== 'active') return this.#bad('an end before accept');
    if (this.offset !== this.size) return this.#bad(`an end at ${this.offset} of ${this.size} bytes`);
    this.#expected = sha256;
    this.phase = 'verifying';
    this.host.changed();
    this.#write();
  }

  /** @override */
  cut() {
    super.cut();
    this.#offers++;
    this.#offered = false;
    if (this.phase === 'active') {
      this.phase = 'interrupted';
      this.host.changed();
    }
  }

  /** @override @param {number} ms */
  tick(ms) {
    super.tick(ms);
    this.#ack();
  }

  /** @override @protected */
  released() {
    this.#pending = [];
    const sink = this.#sink;
    this.#sink = null;
    if (sink && this.phase !== 'done') sink.abort().catch(() => {}); // it is given up, there is nobody to tell
  }

  /** @param {number} offset */
  #goOn(offset) {
    this.phase = 'active';
    this.offset = this.acked = this.#lastAck = offset;
    this.host.send({ t: 'accept', id: this.id, offset });
    if (this.pausedHere) this.tellPaused();
    this.host.changed();
  }

  #ack() {
    if (this.phase !== 'active' || this.acked === this.#lastAck) return;
    this.#lastAck = this.acked;
    this.host.send({ t: 'ack', id: this.id, offset: this.acked });
  }

  #write() {
    this.#work ??= this.#drain().finally(() => { this.#work = null; });
  }

  /** Writes what is pending, and verifies when that was the last. One at a time. */
  async #drain() {
    try {
      for (let bytes = this.#take(); bytes && this.#sink; bytes = this.#take()) {
        await this.#sink.write(bytes);
        if (!this.#sink) return; // given up while it was written
        this.#hash.update(bytes);
        this.acked = this.#sink.offset;
        if (this.acked - this.#lastAck >= ACK_BYTES) this.#ack();
        this.host.changed();
      }
      if (this.phase === 'verifying') await this.#verify();
    } catch (err) {
      const full = err instanceof Error && err.name === 'QuotaExceededError';
      const why = full ? 'There is no space left.' : `It cannot be written: ${err instanceof Error ? err.message : err}`;
      this.give('failed', full ? 'no-space' : 'failed', why);
    }
  }

  /** The next bytes to write, joined. @returns {Uint8Array|null} */
  #take() {
    if (this.#pending.length <= 1) return this.#pending.shift() ?? null;
    let length = 0;
    let count = 0;
    while (count < this.#pending.length && length < WRITE_BYTES) length += this.#pending[count++].length;
    const joined = new Uint8Array(length);
    let at = 0;
    for (const bytes of this.#pending.splice(0, count)) {
      joined.set(bytes, at);
      at += bytes.length;
    }
    return joined;
  }

  async #verify() {
    const sha256 = this.#hash.hex();
    if (sha256 !== this.#expected) {
      return this.give('failed', 'bad-hash', 'The bytes that arrived are not the ones that were sent: the hashes differ.');
    }
    const blob = await this.#sink?.close();
    if (this.finished) return;
    if (blob) this.url = URL.createObjectURL(blob);
    this.sha256 = sha256;
    this.host.send({ t: 'done', id: this.id, sha256 });
    this.end('done', '');
  }

  /** @param {string} message */
  #bad(message) { this.give('failed', 'bad-frame', message); }
}
