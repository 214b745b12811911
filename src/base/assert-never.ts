/** Ends a `switch` over a union: adding a member to the union stops the build here. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`)
}
