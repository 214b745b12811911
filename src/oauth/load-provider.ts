/** The oidc-provider package. */
export type OidcProviderModule = typeof import('oidc-provider')

const runtimeNotice = 'oidc-provider WARNING: Unsupported runtime'

/**
 * Loads oidc-provider without the notice that it prints on every runtime but Node: its flows that Postern uses are tested on
 * this one, and the notice would be the first line that an operator reads.
 */
export async function loadProvider(): Promise<OidcProviderModule> {
  /* oxlint-disable no-console -- not ours to print, and no other way to keep it from being printed */
  const { warn } = console
  console.warn = (...args: unknown[]) => {
    if (!String(args[0]).includes(runtimeNotice)) warn(...args)
  }
  try {
    return await import('oidc-provider')
  } finally {
    console.warn = warn
  }
}
