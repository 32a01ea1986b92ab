/** What the program needs of its runtime beyond web standards and Node's modules. */

/** How a server is reached. */
export interface ClientOptions {
  /** Trusted in addition to the public ones, PEM. */
  readonly caCerts?: readonly string[];
  /** A unix socket, which then stands for every address. */
  readonly unixPath?: string;
  /** The address of this machine that connections come from. */
  readonly localAddress?: string;
}

/** Makes requests and opens WebSockets; keeps no idle connection. */
export interface Client {
  /** Like the global `fetch`. */
  fetch(url: string, init?: RequestInit): Promise<Response>;
  /** Like `new WebSocket`; an `error` event carries the runtime's message. */
  webSocket(url: string): WebSocket;
  /** Frees what it holds; open WebSockets stay open. */
  close(): void;
}

/** Certificate and key, both PEM. */
export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
}

/** Where a server listens. */
export type ServeAt =
  | { readonly hostname: string; readonly port: number; readonly tls?: ServerCertificate }
  | { readonly unixPath: string };

/** Answers a request; `address` is the client's, and empty at a unix socket. */
export type Handler = (request: Request, address: string) => Response | Promise<Response>;

/** A server that listens. */
export interface HttpServer {
  /** 0 at a unix socket. */
  readonly port: number;
  /** Accepts no more connections, and resolves when the open requests are answered. */
  shutdown(): Promise<void>;
}

/** A request that becomes a WebSocket. */
export interface UpgradeOptions {
  /** Of those that the client named. */
  readonly protocol?: string;
  /** Seconds without a sign of the peer until it is asked for one, and given up; 0: never. */
  readonly idleTimeout?: number;
}

/** A socket that opens when the response is returned. */
export interface Upgraded {
  readonly socket: WebSocket;
  readonly response: Response;
}

/** A program to run, with the environment of this one. */
export interface RunOptions {
  readonly program: string;
  readonly args: readonly string[];
  /** Added to the environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Gets what it writes on standard output and standard error, in parts. */
  readonly follow: (output: ReadableStream<Uint8Array<ArrayBuffer>>) => Promise<void>;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** The runtime. */
export interface Runtime {
  /** A client for servers that are reached in the same way. */
  client(options: ClientOptions): Client;
  /**
   * Serves HTTP, and over it WebSockets.
   *
   * @throws an error of the operating system when it cannot listen.
   */
  serve(at: ServeAt, handler: Handler): Promise<HttpServer>;
  /** Turns a request of a server into a WebSocket. */
  upgradeWebSocket(request: Request, options?: UpgradeOptions): Upgraded;
  /** Whether this program was started with the permission to write into a folder. */
  mayWrite(folder: string): Promise<boolean>;
  /** Runs a program, and returns its exit code. */
  run(options: RunOptions): Promise<number>;
}
