import { spawn } from 'node:child_process'
import type { Environment } from '../environment.ts'

/**
 * Opens the person's browser; BROWSER names another program, and `none` says that there is none.
 * @returns whether one was started: what it shows nobody tells us
 */
export async function openBrowser(
  environment: Environment,
  url: string,
  platform: NodeJS.Platform = process.platform,
): Promise<boolean> {
  const [program, ...args] = browserOf(environment, platform)
  if (program === undefined) return false
  const child = spawn(program, [...args, url], { stdio: 'ignore', detached: true, env: { ...environment } })
  return new Promise((resolve) => {
    child.once('error', () => resolve(false))
    child.once('spawn', () => {
      child.unref()
      resolve(true)
    })
  })
}

function browserOf(environment: Environment, platform: NodeJS.Platform): string[] {
  const { BROWSER: named, DISPLAY: display, WAYLAND_DISPLAY: wayland } = environment
  if (named === 'none') return []
  if (named) return [named]
  if (platform === 'darwin') return ['open']
  if (platform === 'win32') return ['rundll32', 'url.dll,FileProtocolHandler']
  return display || wayland ? ['xdg-open'] : []
}
