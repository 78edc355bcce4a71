// The package workerd says where its binary is, and ships no types. (It is CommonJS with a default of its own.)
declare module 'workerd' {
  const main: { readonly default: string };
  export default main;
}
