import { PosternError } from '../base/errors.ts'
import { ENGINE_CAPABILITIES, type EngineName, type ManageMode } from '../contract/engines.ts'
import type { UpdateInstanceInput } from '../contract/instances.ts'
import type { InstanceChange } from '../store/instances.ts'

type Settings = Pick<
  UpdateInstanceInput,
  | 'title'
  | 'environment'
  | 'labels'
  | 'externalLink'
  | 'manageMode'
  | 'syncIntervalSeconds'
  | 'syncDatabases'
  | 'nativeLoginEnabled'
>

/**
 * The columns of an instance that its settings change. Null is the default; what is absent stays.
 * @throws PosternError INVALID_ARGUMENT for a setting that the engine cannot honour
 */
export function settingsChange(engine: EngineName, input: Settings): InstanceChange {
  const { title, environment, labels, externalLink, manageMode, syncIntervalSeconds, syncDatabases } = input
  const { nativeLoginEnabled } = input
  if (nativeLoginEnabled && !ENGINE_CAPABILITIES[engine].gateway) {
    throw invalid('nativeLoginEnabled', `means nothing to ${ENGINE_CAPABILITIES[engine].title}: nobody logs in there`)
  }
  return {
    ...(title !== undefined && { title: title ?? '' }),
    ...(environment !== undefined && { environment }),
    ...(labels !== undefined && { labels: labels ?? {} }),
    ...(externalLink !== undefined && { externalLink }),
    ...(manageMode !== undefined && { manageMode: manageModeOf(engine, manageMode) }),
    ...(syncIntervalSeconds !== undefined && { syncIntervalSeconds }),
    ...(syncDatabases !== undefined && { syncDatabases }),
    ...(nativeLoginEnabled !== undefined && { nativeLoginEnabled }),
  }
}

/**
 * The manage mode that is meant: the engine's first one where nothing is said, null where the engine has none.
 * @throws PosternError INVALID_ARGUMENT
 */
export function manageModeOf(engine: EngineName, wanted: ManageMode | null | undefined): ManageMode | null {
  const { manageModes, title } = ENGINE_CAPABILITIES[engine]
  const [first] = manageModes
  if (wanted === null || wanted === undefined) return first ?? null
  if (manageModes.includes(wanted)) return wanted
  throw invalid('manageMode', `means nothing to ${title}: its databases are simply databases`)
}

function invalid(field: string, reason: string): PosternError {
  return new PosternError('INVALID_ARGUMENT', `${field} ${reason}`, { detail: { field } })
}
