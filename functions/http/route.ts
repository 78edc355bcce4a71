// What a route is: data that the app turns into handlers, with the pattern as people and metrics read it (`/api/v1/jobs/{id}`).
import type { Context } from 'hono';
import type { Role } from '#core/http/api-keys.ts';
import type { Identity } from './keyring.ts';

export interface AppEnv {
  /** What the runtime hands in beside the request. */
  Bindings: object;
  Variables: { requestId: string; identity: Identity };
}

export type AppContext = Context<AppEnv>;

export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** The least role that may call it; undefined: anybody, without a key. */
  readonly role: Role | undefined;
  /** Whether `?ticket=` opens it in place of a key. */
  readonly ticket?: true;
  readonly handle: (c: AppContext) => Response | Promise<Response>;
}

/** The pattern as Hono writes it: `/api/v1/jobs/:id`. */
export function honoPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ':$1');
}
