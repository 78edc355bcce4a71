// Whether tests that have a long version run that: `npm test -- NAME --long`, `npm run e2e`.
export const long = process.env['CORTEX_LONG'] === '1';
