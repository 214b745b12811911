import { existsSync, readFileSync } from 'node:fs'
import { isIP } from 'node:net'

/** Where this process runs, as far as `localhost` is concerned. */
export interface HostSurroundings {
  readonly inContainer: boolean
  readonly platform: NodeJS.Platform
}

/** Address to use in the form for a database on the same machine, and what it needs. */
export interface SameHostForm {
  readonly host: string
  readonly note: string
}

const CONTAINER_NAME = 'host.docker.internal'
const GATEWAY_LINE = `--add-host=${CONTAINER_NAME}:host-gateway`
const CONTAINER_FILES = ['/.dockerenv', '/run/.containerenv']
const CONTAINER_GROUPS = /\/(docker|kubepods|libpod|containerd|lxc)[/\-.]/

/** Looks once for the marks that Docker, Podman and Kubernetes leave. */
export function readSurroundings(): HostSurroundings {
  return {
    inContainer: CONTAINER_FILES.some((file) => existsSync(file)) || CONTAINER_GROUPS.test(controlGroups()),
    platform: process.platform,
  }
}

/** What the form fills in for a database on the machine that Postern runs on. */
export function sameHostForm({ inContainer, platform }: HostSurroundings): SameHostForm {
  if (!inContainer) return { host: '127.0.0.1', note: 'Postern runs on this machine itself, outside a container.' }
  const how = platform === 'linux' ? `; on Linux start the container with ${GATEWAY_LINE}` : ''
  return { host: CONTAINER_NAME, note: `Inside a container localhost is the container itself${how}.` }
}

/**
 * Advice where the host of a route that cannot be reached is meant for the other side of a container's wall.
 * @returns undefined where the host says nothing about it
 */
export function sameHostAdvice(host: string, { inContainer, platform }: HostSurroundings): string | undefined {
  const name = host.toLowerCase().replace(/\.$/, '')
  if (inContainer && (name === 'localhost' || name === '::1' || (isIP(name) === 4 && name.startsWith('127.')))) {
    const how = platform === 'linux' ? `, and start the container with ${GATEWAY_LINE}` : ''
    return `Postern runs in a container, where ${host} is the container itself. For a database on the machine around it use ${CONTAINER_NAME}${how}.`
  }
  if (!inContainer && name === CONTAINER_NAME) {
    return `Postern does not run in a container, where alone ${CONTAINER_NAME} has a meaning. For a database on the same machine use 127.0.0.1.`
  }
  return undefined
}

function controlGroups(): string {
  try {
    return readFileSync('/proc/1/cgroup', 'utf8')
  } catch {
    return ''
  }
}
