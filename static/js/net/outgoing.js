// @ts-check
// A file on its way out.
import { BlockReader } from './blocks.js';
import { ProtocolError } from './conversation.js';
import { fromHex, randomId } from './id.js';
import { Sha256 } from './sha256.js';
import { CHUNK, HEADER, Transfer, WINDOW } from './transfer.js';

// ms before a refused offer is tried again, and as much again by chance: two that offer each other the same id would
// otherwise do so for ever at the same moment.
const BUSY_WAIT = 2000;

/** queued → offered → active → verifying → done; interrupted is offered again. */
export class OutTransfer extends Transfer {
  #file;
  #blocks;
  #hash = new Sha256();
  #idBytes;
  /** an offer that was answered 'busy' waits until then, performance.now() */
  #notBefore = 0;
  #endSent = false;

  /** @param {File} file @param {import('./transfer.js').Host} host */
  constructor(file, host) {
    super({
      id: randomId(), dir: 'out', name: bareName(file.name), size: file.size,
      mime: file.type.slice(0, 255) || 'application/octet-stream', phase: 'queued',
    }, host);
    this.#file = file;
    this.#idBytes = fromHex(this.id);
    this.#blocks = this.#newBlocks();
  }

  /** Takes one of the places that the protocol allows. */
  get open() { return this.phase === 'offered' || this.phase === 'active' || this.phase === 'verifying'; }

  /** Can be offered now. @param {number} now */
  offerable(now) {
    return this.phase === 'interrupted' || (this.phase === 'queued' && now >= this.#notBefore);
  }

  offer() {
    const { id, name, size, mime } = this;
    if (this.host.send({ t: 'offer', id, name, size, mime })) this.phase = 'offered';
    this.host.changed();
  }

  /** @param {number} offset */
  accepted(offset) {
    if (!this.open) return;
    if (offset > this.size) throw new ProtocolError(`accept: offset ${offset} is beyond the end, ${this.size}`);
    this.phase = 'active';
    this.offset = this.acked = offset;
    this.#endSent = false;
    if (this.pausedHere) this.tellPaused();
    this.host.changed();
    this.host.pump();
  }

  /** @param {number} offset */
  acknowledged(offset) {
    if (this.phase !== 'active' && this.phase !== 'verifying') return;
    if (offset < this.acked || offset > this.offset) {
      throw new ProtocolError(`ack: offset ${offset} is not between ${this.acked} and ${this.offset}`);
    }
    this.acked = offset;
    this.host.changed();
    this.host.pump();
  }

  /** @param {string} sha256 */
  confirmed(sha256) {
    if (this.phase !== 'verifying') return;
    if (sha256 !== this.sha256) {
      this.give('failed', 'bad-hash', 'The other side has another hash than we have.');
      return;
    }
    this.acked = this.size;
    this.end('done', '');
  }

  /**
   * The next message to send, or null when there is none now. Nothing counts as sent until `sent` is called.
   * @returns {Uint8Array|null}
   */
  next() {
    if (this.state !== 'active') return null;
    // The hash is over every byte, in order; what was sent before the cut is not hashed twice, and what the receiver
    // had already, without us having read it, is hashed without being sent.
    while (this.#hash.length < this.offset) {
      const bytes = this.#blocks.get(this.#hash.length, Math.min(CHUNK, this.offset - this.#hash.length));
      if (!bytes) return null;
      this.#hash.update(bytes);
    }
    if (this.offset === this.size) {
      this.#finish();
      return null;
    }
    if (this.offset + CHUNK - this.acked > WINDOW) return null;
    const bytes = this.#blocks.get(this.offset, CHUNK);
    if (!bytes) return null;
    if (this.#hash.length < this.offset + bytes.length) this.#hash.update(bytes.subarray(this.#hash.length - this.offset));
    const message = new Uint8Array(HEADER + bytes.length);
    message.set(this.#idBytes);
    new DataView(message.buffer).setBigUint64(16, BigInt(this.offset));
    message.set(bytes, HEADER);
    return message;
  }

  /** @param {Uint8Array} message what next returned is on its way */
  sent(message) { this.offset += message.length - HEADER; }

  /** @override */
  cut() {
    super.cut();
    if (this.open) {
      this.phase = 'interrupted';
      this.host.changed();
    }
  }

  /** @override @param {import('./transfer.js').CancelCode} code @param {string} message */
  cancelledRemotely(code, message) {
    if (code === 'busy' && this.phase === 'offered') {
      this.phase = 'queued';
      this.#notBefore = performance.now() + BUSY_WAIT * (1 + Math.random());
      this.host.changed();
    } else {
      super.cancelledRemotely(code, message);
    }
  }

  /** @override @protected */
  released() { this.#blocks.close(); }

  #finish() {
    if (this.#endSent) return;
    this.sha256 = this.#hash.hex();
    if (!this.host.send({ t: 'end', id: this.id, sha256: this.sha256 })) return;
    this.#endSent = true;
    this.phase = 'verifying';
    this.host.changed();
  }

  #newBlocks() {
    return new BlockReader(this.#file, () => this.host.pump(),
      (err) => this.give('failed', 'failed', `The file cannot be read: ${err.message}`));
  }
}

/**
 * A name the protocol accepts.
 * @param {string} name
 */
function bareName(name) {
  const bare = [...name.replace(/[/\\\u0000-\u001f\u007f]/g, '_')].slice(0, 255).join('');
  return bare === '' || bare === '.' || bare === '..' ? 'file' : bare;
}
