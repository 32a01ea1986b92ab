/**
 * A SPICE display, as far as a client needs to show a text and send keys: the channels main, display and inputs, with
 * the password checked. Numbers and layouts are those of spice-protocol.
 */
import { CELL, runsOf } from "./font.ts";
import { SIZE, type Terminal } from "./terminal.ts";

/** Bytes in both directions. */
export interface Wire {
  /** Waits for exactly so many bytes. */
  read(bytes: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Sends bytes. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

/** A display that clients connect to. */
export interface SimulatedDisplay {
  readonly terminal: Terminal;
  readonly password: string;
}

const MAGIC = [...new TextEncoder().encode("REDQ")];
const VERSION = [2, 2] as const;
/** Authentication is chosen by the client, by a ticket; messages have short heads. */
const COMMON_CAPABILITIES = 1 << 0 | 1 << 1 | 1 << 3;
const TICKET_BYTES = 128;
const PERMISSION_DENIED = 7;
const CHANNELS = { main: 1, display: 2, inputs: 3 } as const;
/** A client that names more is none. */
const MAX_MESSAGE_BYTES = 65_536;

const WIDTH = SIZE.columns * CELL.width;
const HEIGHT = SIZE.rows * CELL.height;
const BACKGROUND = 0x101418;
const INK = 0xd0d4d8;

/** Makes the key with which clients encrypt passwords. */
export function makeKey(): Promise<CryptoKeyPair> {
  const algorithm = { name: "RSA-OAEP", modulusLength: TICKET_BYTES * 8, hash: "SHA-1" };
  const publicExponent = new Uint8Array([1, 0, 1]);
  return crypto.subtle.generateKey({ ...algorithm, publicExponent }, true, ["encrypt", "decrypt"]);
}

/** Serves one connection, which is one channel, until the client ends it. */
export async function serveChannel(wire: Wire, display: SimulatedDisplay, key: CryptoKeyPair): Promise<void> {
  const head = await wire.read(16);
  if (MAGIC.some((byte, index) => head[index] !== byte)) return;
  const size = new DataView(head.buffer).getUint32(12, true);
  if (size > MAX_MESSAGE_BYTES) return;
  const [, , , , channel] = await wire.read(size);
  const publicKey = new Uint8Array(await crypto.subtle.exportKey("spki", key.publicKey));
  const reply = [...u32(0), ...publicKey, ...u32(1, 0, 12 + 4 + publicKey.length, COMMON_CAPABILITIES)];
  await wire.write(bytes([...MAGIC, ...u32(...VERSION, reply.length), ...reply]));
  const ticket = (await wire.read(4 + TICKET_BYTES)).slice(4);
  if (await passwordIn(ticket, key) !== display.password) {
    return await wire.write(bytes(u32(PERMISSION_DENIED)));
  }
  await wire.write(bytes(u32(0)));
  if (channel === CHANNELS.main) await serveMain(wire);
  if (channel === CHANNELS.display) await serveDisplay(wire, display.terminal);
  if (channel === CHANNELS.inputs) await serveInputs(wire, display.terminal);
}

async function passwordIn(
  ticket: Uint8Array<ArrayBuffer>,
  { privateKey }: CryptoKeyPair,
): Promise<string | null> {
  try {
    const plain = await crypto.subtle.decrypt({ name: "RSA-OAEP" }, privateKey, ticket);
    return new TextDecoder().decode(plain).replace(/\0$/, "");
  } catch {
    return null;
  }
}

/** Both mouse modes are there, and the client's is used. */
async function serveMain(wire: Wire): Promise<void> {
  await send(wire, 103, u32(1, 1, 3, 2, 0, 10, 0, 0));
  for await (const { type } of messages(wire)) {
    if (type === 104) await send(wire, 104, [...u32(2), CHANNELS.display, 0, CHANNELS.inputs, 0]);
  }
}

async function serveDisplay(wire: Wire, terminal: Terminal): Promise<void> {
  let painting = Promise.resolve();
  let shown: readonly string[] = [];
  let forget = () => {};
  const paint = () => {
    painting = painting.then(async () => {
      const { lines } = terminal;
      for (let row = 0; row < SIZE.rows; row++) {
        if (lines[row] !== shown[row]) await wire.write(bytes(lineAt(row, lines[row] ?? "")));
      }
      shown = lines;
    }).catch(() => {});
  };
  try {
    for await (const { type } of messages(wire)) {
      if (type !== 101) continue;
      // A primary surface of 32 bits without alpha.
      await send(wire, 314, u32(0, WIDTH, HEIGHT, 32, 1));
      await wire.write(bytes(filled({ x: 0, y: 0, width: WIDTH, height: HEIGHT }, BACKGROUND)));
      forget = terminal.onChange(paint);
      paint();
    }
  } finally {
    forget();
  }
}

function lineAt(row: number, line: string): number[] {
  const top = row * CELL.height;
  const background = filled({ x: 0, y: top, width: WIDTH, height: CELL.height }, BACKGROUND);
  const characters = [...line].slice(0, SIZE.columns).flatMap((character, column) =>
    runsOf(character).flatMap(({ x, y, width }) =>
      filled({ x: column * CELL.width + x, y: top + y, width, height: 1 }, INK)
    )
  );
  return [...background, ...characters];
}

async function serveInputs(wire: Wire, terminal: Terminal): Promise<void> {
  await send(wire, 101, [0, 0]);
  let moves = 0;
  for await (const { type, body } of messages(wire)) {
    const [code = 0] = body;
    if (type === 101) terminal.key(code, true);
    if (type === 102) terminal.key(code & 0x7f, false);
    // Every fourth movement is acknowledged.
    if ((type === 111 || type === 112) && ++moves % 4 === 0) await send(wire, 111, []);
  }
}

interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Fills with a solid brush: surface, box, no clip, brush, operation `put`, no mask. */
function filled({ x, y, width, height }: Rectangle, colour: number): number[] {
  const box = u32(y, x, y + height, x + width);
  return messageOf(302, [...u32(0), ...box, 0, 1, ...u32(colour), 8, 0, 0, ...u32(0, 0, 0)]);
}

async function send(wire: Wire, type: number, body: readonly number[]): Promise<void> {
  await wire.write(bytes(messageOf(type, body)));
}

function messageOf(type: number, body: readonly number[]): number[] {
  return [type & 0xff, type >> 8, ...u32(body.length), ...body];
}

interface Message {
  readonly type: number;
  readonly body: Uint8Array<ArrayBuffer>;
}

async function* messages(wire: Wire): AsyncIterable<Message> {
  for (;;) {
    const head = new DataView((await wire.read(6)).buffer);
    const size = head.getUint32(2, true);
    if (size > MAX_MESSAGE_BYTES) return;
    yield { type: head.getUint16(0, true), body: await wire.read(size) };
  }
}

/** Little-endian numbers. */
function u32(...values: readonly number[]): number[] {
  return values.flatMap((value) => [value & 0xff, value >> 8 & 0xff, value >> 16 & 0xff, value >>> 24]);
}

function bytes(values: readonly number[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(values);
}
