// How a Node process reaches the safety kernel, from its environment: with or without TLS, and whom it trusts then.
import type { RpcClientOptions } from '#core/http/connect.ts';
import { createShortFetch } from '#core/http/short-fetch.node.ts';
import { addressUrl } from '#core/process/address.ts';
import type { EnvValues } from '#core/process/env.ts';
import { readCa } from '#core/process/tls.node.ts';
import { dialsTls, type kernelClientEnv } from './kernel-env.ts';

/** Options for `createRpcChecker`. Throws CortexError `failed_precondition` when the file of authorities is none. */
export function kernelDial(
  config: EnvValues<typeof kernelClientEnv>,
): Pick<RpcClientOptions, 'baseUrl' | 'fetch' | 'token'> {
  const { addr, token, kernelCa } = config;
  const tls = dialsTls(config);
  return {
    baseUrl: addressUrl(addr, tls ? 'https' : 'http'),
    ...(token !== undefined && { token }),
    fetch: createShortFetch(
      tls && kernelCa !== undefined ? { ca: readCa({ variable: 'SAFETY_KERNEL_TLS_CA', path: kernelCa }) } : {},
    ),
  };
}
