import type { EngineField, EngineName } from './engines.ts'
import { parseSpannerAddress } from './spanner-address.ts'

type Fields = Readonly<Partial<Record<EngineField, string>>>

/**
 * The fields of a data source with a pasted address of Google's console, in either of the two ids of Spanner, taken apart. Two
 * addresses that disagree stay as they are: the engine refuses them by name.
 */
export function understandFields(engine: EngineName, fields: Fields): Fields {
  if (engine !== 'spanner') return fields
  const { projectId = '', instanceId = '' } = fields
  const [first, second] = [projectId, instanceId].map(parseSpannerAddress)
  const found = first ?? second
  if (found === undefined) return fields
  const agrees = (given: string, known: string, other: typeof first): boolean =>
    given === '' || given === known || (other?.projectId === found.projectId && other.instanceId === found.instanceId)
  if (!agrees(projectId, found.projectId, first) || !agrees(instanceId, found.instanceId, second)) return fields
  return { ...fields, projectId: found.projectId, instanceId: found.instanceId }
}
