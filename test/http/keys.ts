// Keys for tests: one per role in tenant `default`, and the same in `rival`.
import { type ApiKey, generateApiKey, type Role, roles } from '#core/http/api-keys.ts';

function keysOf(tenant: string, seed: number) {
  const made = roles.map((role, i) => {
    const random = new Uint8Array(32).fill(seed + i);
    return [role, generateApiKey(random, { tenant, principal: `${role}@${tenant}`, role })] as const;
  });
  return new Map(made);
}

const byTenant = { default: keysOf('default', 10), rival: keysOf('rival', 20) } as const;

/** The file's content. */
export const keyEntries: readonly ApiKey[] = Object.values(byTenant).flatMap((keys) =>
  Array.from(keys.values(), ({ entry }) => entry),
);

/** The headers of somebody. */
export function as(role: Role, tenant: keyof typeof byTenant = 'default'): Record<string, string> {
  return { 'X-API-Key': byTenant[tenant].get(role)?.key ?? '' };
}
