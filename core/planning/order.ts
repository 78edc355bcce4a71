// In which order a review looks at files, by rules: what could do the most harm first. The same files in any order give the same list.
//
//   rank    plain code, then tests, then what nobody writes by hand (generated, vendored, lock files, minified)
//   score   the original's weight * 1000 + 2 * loc + bytes, with loc and bytes bounded so that one huge file does not stand for a risk;
//           and 10,000 for each of at most three words of the path that tell of a risk (auth, payment, crypto ...), a whole word each
//   path    in the order of its characters, where all else is equal
//
// A path that is listed twice counts once, with the higher of its scores.

export interface PlannedFile {
  readonly path: string;
  readonly language: string;
  readonly bytes: number;
  readonly loc: number;
}

export interface OrderLimits {
  /** 0: the default, 200. */
  readonly maxFiles: number;
  /** 0: 50, the size that the partition step takes. Only counts beside `maxBatches`. */
  readonly batchSize: number;
  /** 0: any number. */
  readonly maxBatches: number;
}

export const defaultMaxFiles = 200;
const defaultBatchSize = 50;

/** How many files a plan has at most. */
export function capOf({ maxFiles, batchSize, maxBatches }: OrderLimits): number {
  const most = maxFiles > 0 ? maxFiles : defaultMaxFiles;
  if (maxBatches <= 0) return most;
  return Math.min(most, maxBatches * (batchSize > 0 ? batchSize : defaultBatchSize));
}

/** The files in order, at most as many as the limits allow. */
export function riskOrder(files: readonly PlannedFile[], limits: OrderLimits): readonly PlannedFile[] {
  const scored = files.map((file) => ({ file, rank: rankOf(file.path), score: scoreOf(file) }));
  scored.sort((a, b) => a.rank - b.rank || b.score - a.score || byText(keyOf(a.file), keyOf(b.file)));
  const seen = new Set<string>();
  const ordered: PlannedFile[] = [];
  const cap = capOf(limits);
  for (const { file } of scored) {
    if (ordered.length >= cap) break;
    if (seen.has(file.path)) continue;
    seen.add(file.path);
    ordered.push(file);
  }
  return ordered;
}

/** The first list in the order of the second: what that does not name follows as it was, and what only that names is left out. */
export function reordered(files: readonly PlannedFile[], wanted: readonly string[]): readonly PlannedFile[] {
  const left = new Map(files.map((file) => [file.path, file]));
  const first = wanted.flatMap((path) => {
    const file = left.get(path);
    left.delete(path);
    return file ?? [];
  });
  return [...first, ...left.values()];
}

/** By the path; of two entries of one path and score always the same one comes first. */
const keyOf = ({ path, language, bytes, loc }: PlannedFile): string => [path, language, bytes, loc].join('\0');
const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The original's table. */
const weights: ReadonlyMap<string, number> = new Map([
  ...['cpp', 'c++', 'cxx', 'hpp', 'hxx'].map((name) => [name, 5] as const),
  ...['c', 'go', 'python', 'rust'].map((name) => [name, 4] as const),
  ...['typescript', 'javascript', 'java', 'csharp'].map((name) => [name, 3] as const),
  ...['ruby', 'php', 'shell', 'bash'].map((name) => [name, 2] as const),
]);

const mostLoc = 5_000;
const mostBytes = 20_000;
const forRisk = 10_000;

/** Higher is sooner. */
export function scoreOf({ path, language, bytes, loc }: PlannedFile): number {
  const base =
    (weights.get(language.toLowerCase()) ?? 1) * 1000 + 2 * Math.min(loc, mostLoc) + Math.min(bytes, mostBytes);
  return base + forRisk * Math.min(3, risksIn(path).length);
}

const risky = new Set([
  ...[
    'auth',
    'authn',
    'authz',
    'oauth',
    'oauth2',
    'oidc',
    'saml',
    'sso',
    'authentication',
    'authorization',
    'authorize',
  ],
  ...['login', 'signin', 'session', 'cookie', 'csrf', 'jwt', 'token', 'password', 'passwd', 'credential', 'secret'],
  ...['crypto', 'cipher', 'encrypt', 'encryption', 'decrypt', 'signature', 'signing', 'certificate', 'tls', 'keystore'],
  ...['security', 'permission', 'acl', 'rbac', 'admin', 'privilege', 'sandbox', 'sanitize', 'sanitizer', 'upload'],
  ...['billing', 'payment', 'checkout', 'invoice', 'refund', 'payout', 'wallet', 'ledger', 'transaction'],
]);

/** The words of a path that tell of a risk, each once: whole ones, so that `author` and `tokenizer` are none. */
export function risksIn(path: string): readonly string[] {
  const words = path
    .replaceAll(/([\p{Ll}\d])(\p{Lu})/gu, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\d]+/u);
  const found = words.flatMap((word) => [word, word.replace(/s$/, '')].find((form) => risky.has(form)) ?? []);
  return [...new Set(found)];
}

const notByHand =
  /(^|\/)(vendor|vendored|third_party|node_modules|dist|generated|gen|__generated__|__snapshots__)\/|\.min\.(js|css)$|\.map$|\.snap$|(\.|_)(generated|gen|pb|g)\.[^./]+$|_pb2?(_grpc)?\.[^./]+$|\.pb\.go$|(^|\/)(package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|composer\.lock|cargo\.lock|gemfile\.lock|poetry\.lock|pipfile\.lock|uv\.lock|go\.sum|flake\.lock)$/i;
const isTest =
  /(^|\/)(tests?|__tests__|spec|specs|e2e|testdata|fixtures|__mocks__|mocks)\/|(\.|_|-)(test|tests|spec)\.[^./]+$|(^|\/)(test_[^/]*\.py|conftest\.py|[^/]*Tests?\.(java|cs|kt|php))$/;

function rankOf(path: string): 0 | 1 | 2 {
  if (notByHand.test(path)) return 2;
  return isTest.test(path) ? 1 : 0;
}
