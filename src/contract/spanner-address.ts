/** Where a Spanner instance is, in Google's terms. */
export interface SpannerAddress {
  readonly projectId: string
  readonly instanceId: string
  readonly database: string | null
}

/** `example.com:project` too: projects of a domain of one's own. */
export const SPANNER_PROJECT_ID = /^[a-z\d][a-z\d.:-]{0,61}[a-z\d]$/
export const SPANNER_INSTANCE_ID = /^[a-z][a-z\d-]{0,62}[a-z\d]$/
export const SPANNER_DATABASE_ID = /^[a-z][a-z\d_-]{0,28}[a-z\d]$/

const RESOURCE_NAME = /^projects\/([^/]+)\/instances\/([^/]+)(?:\/databases\/([^/]+))?\/?$/
const CONSOLE_PATH = /^\/spanner\/instances\/([^/]+)(?:\/databases\/([^/]+))?(?:\/|$)/

/**
 * Reads a pasted address of Google's console (`https://console.cloud.google.com/spanner/instances/I/details/databases?project=P`)
 * or a resource name (`projects/P/instances/I/databases/D`).
 * @returns undefined for anything else, so that a plain id can be taken as it is
 */
export function parseSpannerAddress(text: string): SpannerAddress | undefined {
  const [, projectId, instanceId, database] = RESOURCE_NAME.exec(text.trim()) ?? consoleParts(text.trim()) ?? []
  if (projectId === undefined || instanceId === undefined) return undefined
  if (!SPANNER_PROJECT_ID.test(projectId) || !SPANNER_INSTANCE_ID.test(instanceId)) return undefined
  const isDatabase = database !== undefined && SPANNER_DATABASE_ID.test(database)
  return { projectId, instanceId, database: isDatabase ? database : null }
}

function consoleParts(text: string): readonly (string | undefined)[] | undefined {
  if (!URL.canParse(text)) return undefined
  const url = new URL(text)
  if (url.protocol !== 'https:' || url.hostname !== 'console.cloud.google.com') return undefined
  const [, instanceId, database] = CONSOLE_PATH.exec(url.pathname) ?? []
  return [text, url.searchParams.get('project') ?? undefined, instanceId, database]
}
