import { type Browser, chromium } from 'playwright-core'
import { requireTool } from './requirements.ts'

/** Debian's Chromium without a window. Its sandbox is for pages that nobody trusts; tests run as root and show their own. */
export function startChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: requireTool('chromium'), args: ['--no-sandbox'], timeout: 30_000 })
}
