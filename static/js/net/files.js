// @ts-check
// Files over the data channel 'files', as peer/PROTOCOL.md tells it: several at a time, taking turns, going on after a cut.
//
//   File ─ BlockReader ─ OutTransfer ─┐                            ┌─ InTransfer ─ Sink
//   File ─ BlockReader ─ OutTransfer ─┴─ channel ── … ── channel ──┴─ InTransfer ─ Sink
import { Conversation, ProtocolError, intField, stringField } from './conversation.js';
import { toHex } from './id.js';
import { InTransfer } from './incoming.js';
import { OutTransfer } from './outgoing.js';
import { HEADER } from './transfer.js';

/** @typedef {import('./transfer.js').Transfer} Transfer */
/** @typedef {import('./transfer.js').TransferState} TransferState */
/** @typedef {import('./conversation.js').Frame} Frame */

const MAX_OPEN = 16; // transfers in one direction
const TICK = 250; // ms: acks and rates
const CHANGE = 100; // ms between two 'change'
const KEPT = 200; // transfers that are over
// Marks that turn the direction of reading make fdp.exe look like exe.pdf.
const TURNING = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const CODES = new Set(['declined', 'cancelled', 'too-large', 'no-space', 'bad-hash', 'bad-frame', 'busy', 'failed']);

/** Fires 'change' (at most ten times a second) and 'offer' (detail: Transfer that waits for accept or decline). */
export class Files extends Conversation {
  /** oldest first @type {Transfer[]} */
  transfers = [];

  /** @type {Map<string, OutTransfer>} */
  #out = new Map();
  /** @type {Map<string, InTransfer>} */
  #in = new Map();
  /** who sends next */
  #turn = 0;
  #pumping = false;
  #pumpAgain = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #change;
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #tick;
  #tickAt = 0;
  #closed = false;
  /** @type {import('./transfer.js').Host} */
  #host = {
    open: () => this.open,
    send: (frame) => this.sendFrame(frame),
    changed: () => this.#changed(),
    pump: () => this.#pump(),
  };

  /**
   * Offers files to the other side, now or as soon as there is a channel.
   * @param {Iterable<File>} files
   * @returns {Transfer[]}
   */
  offer(files) {
    if (this.#closed) throw new Error('the peer is gone');
    const added = Array.from(files, (file) => new OutTransfer(file, this.#host));
    for (const transfer of added) {
      this.#out.set(transfer.id, transfer);
      this.transfers.push(transfer);
    }
    this.#changed();
    this.#pump();
    return added;
  }

  /** No channel will come any more. @param {string} reason */
  close(reason) {
    this.detach();
    this.#closed = true;
    for (const transfer of this.transfers) transfer.end('failed', reason);
    clearInterval(this.#tick);
    this.#tick = undefined;
  }

  /** @override */
  opened() { this.#pump(); }

  /** @override */
  drained() { this.#pump(); }

  /** @override */
  cut() { for (const transfer of this.transfers) transfer.cut(); }

  /** @override @param {string} message */
  failed(message) {
    for (const transfer of this.transfers) transfer.end('failed', `The conversation ended: ${message}`);
  }

  /** @override @param {Frame} frame */
  frame(frame) {
    if (frame.t === 'offer') return this.#offered(frame);
    if (!['accept', 'ack', 'pause', 'resume', 'end', 'done', 'cancel'].includes(frame.t)) return;
    const id = idField(frame);
    const out = this.#out.get(id);
    // An id is in use in one direction at a time; ours may wait until theirs is over.
    const transfer = out?.open ? out : this.#in.get(id) ?? out;
    if (!transfer) return; // one that is over, or never was: nothing to stop
    switch (frame.t) {
      case 'accept': return this.#guard(transfer, () => out?.accepted(intField(frame, 'offset', 0, Number.MAX_SAFE_INTEGER)));
      case 'ack': return this.#guard(transfer, () => out?.acknowledged(intField(frame, 'offset', 0, Number.MAX_SAFE_INTEGER)));
      case 'done': return this.#guard(transfer, () => out?.confirmed(hashField(frame)));
      case 'end': return this.#guard(transfer, () => this.#in.get(id)?.ended(hashField(frame)));
      case 'pause': return transfer.pausedRemotely(true);
      case 'resume': return transfer.pausedRemotely(false);
      case 'cancel': return this.#cancelled(transfer, frame);
    }
  }

  /** @override @param {Uint8Array} message */
  binary(message) {
    if (message.length <= HEADER) throw new ProtocolError(`a chunk of ${message.length} bytes`);
    const transfer = this.#in.get(toHex(message.subarray(0, 16)));
    if (!transfer) return; // given up meanwhile
    const offset = new DataView(message.buffer, message.byteOffset).getBigUint64(16);
    transfer.chunk(Number(offset), message.subarray(HEADER));
  }

  /** @param {Frame} frame */
  #offered(frame) {
    const id = idField(frame);
    const name = stringField(frame, 'name', 1, 255).replace(TURNING, '') || 'file';
    if (/[/\\\u0000-\u001f\u007f]/.test(name) || name === '.' || name === '..') throw new ProtocolError('offer: name is not a bare file name');
    const size = intField(frame, 'size', 0, Number.MAX_SAFE_INTEGER);
    const mime = frame.mime === undefined ? '' : stringField(frame, 'mime', 0, 255);
    const known = this.#in.get(id);
    if (known) {
      if (known.size !== size) known.give('failed', 'bad-frame', 'offered again with another size');
      else known.offeredAgain();
      return;
    }
    const busy = this.#out.get(id)?.open ? 'the same id is on its way to you' : count(this.#in) >= MAX_OPEN ? `${MAX_OPEN} transfers are open` : '';
    if (busy) {
      this.sendFrame({ t: 'cancel', id, code: 'busy', message: busy });
      return;
    }
    const transfer = new InTransfer({ id, name, size, mime }, this.#host);
    this.#in.set(id, transfer);
    this.transfers.push(transfer);
    this.#forget();
    this.#changed();
    this.dispatchEvent(new CustomEvent('offer', { detail: transfer }));
  }

  /** @param {Transfer} transfer @param {Frame} frame */
  #cancelled(transfer, frame) {
    const code = /** @type {import('./transfer.js').CancelCode} */ (stringField(frame, 'code', 1, 32));
    const message = frame.message === undefined ? '' : stringField(frame, 'message', 0, 1000);
    transfer.cancelledRemotely(CODES.has(code) ? code : 'failed', message);
  }

  /** A fault in one transfer ends that one, not the others. @param {Transfer} transfer @param {() => void} handle */
  #guard(transfer, handle) {
    try {
      handle();
    } catch (err) {
      if (!(err instanceof ProtocolError)) throw err;
      transfer.give('failed', 'bad-frame', err.message);
    }
  }

  /** Offers what has a place, and sends until the channel is full. */
  #pump() {
    this.#pumpAgain = true;
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      this.#startTick();
      while (this.#pumpAgain && this.open) {
        this.#pumpAgain = false;
        this.#offerNext();
        while (this.open && this.hasRoom() && this.#sendOne());
      }
    } finally {
      this.#pumping = false;
    }
  }

  #offerNext() {
    let places = MAX_OPEN - count(this.#out);
    const now = performance.now();
    for (const transfer of this.#out.values()) {
      if (places <= 0) return;
      if (!transfer.offerable(now) || this.#in.get(transfer.id)?.open) continue;
      transfer.offer();
      places--;
    }
  }

  /** One chunk of the next transfer that has one. @returns {boolean} something was sent */
  #sendOne() {
    const open = Array.from(this.#out.values()).filter((transfer) => transfer.open);
    for (let i = 0; i < open.length; i++) {
      const transfer = open[this.#turn++ % open.length];
      const message = transfer.next();
      if (!message) continue;
      if (!this.sendRaw(message)) return false;
      transfer.sent(message);
      this.#changed();
      return true;
    }
    return false;
  }

  #startTick() {
    if (this.#tick !== undefined || this.#closed) return;
    this.#tickAt = performance.now();
    this.#tick = setInterval(() => this.#onTick(), TICK);
  }

  #onTick() {
    const now = performance.now();
    const ms = Math.max(1, now - this.#tickAt);
    this.#tickAt = now;
    let busy = false;
    for (const transfer of this.transfers) {
      if (transfer.finished) continue;
      transfer.tick(ms);
      busy = true;
    }
    this.#pump();
    if (busy) return;
    clearInterval(this.#tick);
    this.#tick = undefined;
  }

  #changed() {
    this.#startTick();
    this.#change ??= setTimeout(() => {
      this.#change = undefined;
      this.dispatchEvent(new CustomEvent('change'));
    }, CHANGE);
  }

  /** Whoever offers and cancels all day must not fill our memory. */
  #forget() {
    const over = this.transfers.filter((transfer) => transfer.finished && !transfer.url);
    for (const transfer of over.slice(0, Math.max(0, over.length - KEPT))) {
      this.transfers.splice(this.transfers.indexOf(transfer), 1);
      this.#in.delete(transfer.id);
      this.#out.delete(transfer.id);
    }
  }
}

/** @param {Map<string, {open: boolean}>} transfers */
function count(transfers) {
  let open = 0;
  for (const transfer of transfers.values()) if (transfer.open) open++;
  return open;
}

/** @param {Frame} frame */
function idField(frame) {
  const id = stringField(frame, 'id', 32, 32);
  if (!/^[0-9a-f]{32}$/.test(id)) throw new ProtocolError(`${frame.t}: id is not 32 lower-case hex digits`);
  return id;
}

/** @param {Frame} frame */
function hashField(frame) {
  const hash = stringField(frame, 'sha256', 64, 64);
  if (!/^[0-9a-f]{64}$/.test(hash)) throw new ProtocolError(`${frame.t}: sha256 is not 64 lower-case hex digits`);
  return hash;
}
