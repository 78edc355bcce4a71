// What a path says about how likely its file is what somebody looks for.

export type FileKind = 'source' | 'test' | 'docs' | 'generated' | 'vendored' | 'lock';

const kinds: readonly (readonly [FileKind, RegExp])[] = [
  [
    'lock',
    /(^|\/)(package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|Cargo\.lock|go\.sum|poetry\.lock|uv\.lock|Gemfile\.lock|composer\.lock)$/,
  ],
  ['vendored', /(^|\/)(node_modules|vendor|third[_-]?party|external|deps)\//],
  [
    'generated',
    /(^|\/)(dist|build|out|gen|generated|__generated__)\/|[._-](min|bundle|generated|gen|pb)\.[a-z]+$|_pb2?(_grpc)?\.[a-z]+$|\.(map|snap)$/,
  ],
  [
    'test',
    /(^|\/)(tests?|__tests__|spec|specs|e2e|fixtures?|testdata|__mocks__)\/|[._-](test|spec|tests)\.[a-z]+$|(^|\/)test_[^/]+\.py$|_test\.go$/,
  ],
  ['docs', /\.(md|mdx|markdown|rst|adoc|txt)$|(^|\/)(docs?|examples?|LICENSE|NOTICE|CHANGELOG)(\/|$)/],
];

/** The kind of a file by its path. */
export function kindOf(path: string): FileKind {
  return kinds.find(([, pattern]) => pattern.test(path))?.[0] ?? 'source';
}
