// The package workerd says where its binary is, and ships no types.
declare module 'workerd' {
  const path: string;
  export default path;
}
