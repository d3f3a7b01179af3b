// @ts-check
// A packet taken apart, as lines of a table and the bytes that belong to each. No DOM.

/** @typedef {{name: string, value: string, note?: string, bit: number, bits: number}} Field bit and bits: where in the packet */
/** @typedef {{name: string, layer?: string, summary: string, at: number, len: number, fields: Field[]}} Layer */
/** @typedef {{number: number, hex: string, layers: Layer[], problem?: string}} Dissected as the server sends it */
/**
 * @typedef {object} Line
 * @property {boolean} head a layer, not a field of one
 * @property {string} layer its name in a trace
 * @property {string} name
 * @property {string} value
 * @property {string} note
 * @property {number} from first byte
 * @property {number} to byte behind the last
 * @property {string} where in words
 */

/** @param {string} hex @returns {number[]} */
export function bytesOf(hex) { return (hex.match(/[0-9a-f]{2}/gi) ?? []).map((pair) => parseInt(pair, 16)); }

/** @param {Dissected} packet @returns {Line[]} */
export function linesOf(packet) {
  const lines = [];
  for (const l of packet.layers) {
    const layer = l.layer ?? 'ip';
    lines.push({ head: true, layer, name: l.name, value: l.summary, note: '', from: l.at, to: l.at + l.len, where: where(l.at * 8, l.len * 8) });
    for (const f of l.fields) {
      lines.push({ head: false, layer, name: f.name, value: f.value, note: f.note ?? '', from: f.bit >> 3, to: (f.bit + f.bits + 7) >> 3, where: where(f.bit, f.bits) });
    }
  }
  return lines;
}

/** "12", "12–15", or for parts of bytes "12, bits 4–7", counted from the left. @param {number} bit @param {number} bits */
export function where(bit, bits) {
  const from = bit >> 3, to = (bit + bits - 1) >> 3;
  const bytes = from === to ? `${from}` : `${from}–${to}`;
  if (bit % 8 === 0 && bits % 8 === 0) return bytes;
  if (from !== to) return `${bytes}, ${bits} bits from bit ${bit % 8}`;
  return bits === 1 ? `${bytes}, bit ${bit % 8}` : `${bytes}, bits ${bit % 8}–${(bit + bits - 1) % 8}`;
}

/** The line with the fewest bytes that has this one; of equal ones the first field. @param {Line[]} lines @param {number} byte @returns {number} -1: none */
export function lineAt(lines, byte) {
  let best = -1;
  lines.forEach((line, i) => {
    if (byte < line.from || byte >= line.to) return;
    const old = lines[best];
    if (!old || line.to - line.from < old.to - old.from || old.head && line.to - line.from === old.to - old.from) best = i;
  });
  return best;
}

/** Which layer each byte belongs to: the innermost. @param {Layer[]} layers @param {number} count @returns {string[]} */
export function colours(layers, count) {
  const of = new Array(count).fill('');
  for (const l of layers) of.fill(l.layer ?? 'ip', l.at, Math.min(l.at + l.len, count));
  return of;
}

/** @param {number} byte */
export function printed(byte) { return byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '·'; }
