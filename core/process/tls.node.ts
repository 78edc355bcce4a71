// TLS in front of a server that speaks HTTP/1.1 and HTTP/2: shakes hands, and tells which of the two was agreed on (ALPN). Also
// reads the PEM files of both ends.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { createSecureContext, createServer } from 'node:tls';
import { CortexError } from '#core/errors.ts';
import type { Log } from '#core/log.ts';
import type { HttpVersion } from './sniff.node.ts';

/** Certificate chain and private key of a server, in PEM. */
export interface Tls {
  readonly cert: Buffer;
  readonly key: Buffer;
}

const oldestVersion = 'TLSv1.2';

/** A file and the variable that named it. */
export interface TlsFile<P extends string | undefined = string> {
  readonly variable: string;
  readonly path: P;
}

/** What a server shows: both PEM files, or undefined when one is not named. Throws CortexError `failed_precondition`. */
export function tlsOf(cert: TlsFile<string | undefined>, key: TlsFile<string | undefined>): Tls | undefined {
  if (cert.path === undefined || key.path === undefined) return undefined;
  return readTls({ ...cert, path: cert.path }, { ...key, path: key.path });
}

/** Reads the authorities that a client trusts. Throws CortexError `failed_precondition` that names the variable. */
export function readCa(file: TlsFile): Buffer {
  const pem = readPem(file);
  try {
    // A secure context would take a file without any certificate and trust nobody.
    void new X509Certificate(pem);
    return pem;
  } catch (error) {
    const message = `${file.variable}: ${file.path} is no certificate in PEM`;
    throw new CortexError('failed_precondition', message, { cause: error });
  }
}

/** Reads both PEM files. Throws CortexError `failed_precondition` that names the variable. */
function readTls(cert: TlsFile, key: TlsFile): Tls {
  const tls = { cert: readPem(cert), key: readPem(key) };
  try {
    createSecureContext({ ...tls, minVersion: oldestVersion });
    return tls;
  } catch (error) {
    const message = `${cert.variable}: ${cert.path} and ${key.path} are not a certificate and its key in PEM`;
    throw new CortexError('failed_precondition', message, { cause: error });
  }
}

function readPem({ variable, path }: TlsFile): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CortexError('failed_precondition', `${variable}: ${why}`, { cause: error });
  }
}

/** What takes raw connections and hands on their plain side. Who does not finish the handshake within `timeoutMs` is cut off. */
export function createTlsDoor(
  { cert, key }: Tls,
  { timeoutMs, log }: { readonly timeoutMs: number; readonly log: Log },
  found: (version: HttpVersion, plain: Socket) => void,
): (socket: Socket) => void {
  // It never listens: a bare TLSSocket would do the handshake as well, but HTTP/2 waits for what only a server does after it.
  const door = createServer({
    cert,
    key,
    minVersion: oldestVersion,
    ALPNProtocols: ['h2', 'http/1.1'],
    handshakeTimeout: timeoutMs,
  });
  door.on('secureConnection', (plain) => found(plain.alpnProtocol === 'h2' ? 'http2' : 'http1', plain));
  door.on('tlsClientError', (error, socket) => {
    log.debug('a TLS connection failed', { error });
    socket.destroy();
  });
  return (socket) => door.emit('connection', socket);
}
