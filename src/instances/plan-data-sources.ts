import { PosternError } from '../base/errors.ts'
import type { DataSourcePatch, ReadOnlyDataSourceEntry } from '../contract/data-sources.ts'
import type { DataSourceRow } from '../store/data-sources.ts'

/** What is to become of the data sources of an instance. */
export interface DataSourcePlan {
  readonly add: readonly { readonly name: string; readonly patch: DataSourcePatch }[]
  readonly edit: readonly { readonly source: DataSourceRow; readonly patch: DataSourcePatch }[]
  readonly remove: readonly DataSourceRow[]
}

export const NO_PLAN: DataSourcePlan = { add: [], edit: [], remove: [] }

/**
 * What to do so that an instance has exactly these read-only data sources: one that is not named is removed, one whose name is
 * new is added, the others are changed.
 * @throws PosternError INVALID_ARGUMENT for an id that there is not, or a data source that is named twice
 */
export function planReadOnly(
  current: readonly DataSourceRow[],
  wanted: readonly ReadOnlyDataSourceEntry[],
): DataSourcePlan {
  const sources = current.filter(({ type }) => type === 'read_only')
  const taken = new Set([...current.map(({ name }) => name), ...wanted.flatMap(({ name }) => name ?? [])])
  const edit: { source: DataSourceRow; patch: DataSourcePatch }[] = []
  const add: { name: string; patch: DataSourcePatch }[] = []
  for (const { id, name, ...patch } of wanted) {
    const source = sources.find((each) => (id === undefined ? each.name === name : each.id === id))
    if (id !== undefined && source === undefined) {
      throw invalid(`readOnlyDataSources: the instance has no read-only data source ${id}`)
    }
    if (source !== undefined && name !== undefined && source.name !== name) {
      throw invalid(`readOnlyDataSources: the name of data source '${source.name}' cannot be changed`)
    }
    if (source !== undefined) {
      if (edit.some((each) => each.source.id === source.id)) throw namedTwice(source.name)
      edit.push({ source, patch })
      continue
    }
    const freeName = freeReadOnlyName(
      name,
      [...taken],
      [...current.map((each) => each.name), ...add.map((each) => each.name)],
    )
    taken.add(freeName)
    add.push({ name: freeName, patch })
  }
  return { add, edit, remove: sources.filter((source) => !edit.some((each) => each.source.id === source.id)) }
}

/**
 * The name of a new read-only data source: the wanted one, or `read-only-` and the first number that is free.
 * @param avoid names that a made-up one must not have
 * @param taken names that nobody may take any more
 * @throws PosternError ALREADY_EXISTS
 */
export function freeReadOnlyName(
  wanted: string | undefined,
  avoid: readonly string[],
  taken: readonly string[],
): string {
  if (wanted !== undefined) {
    if (!taken.includes(wanted)) return wanted
    throw new PosternError('ALREADY_EXISTS', `The instance has a data source '${wanted}' already`, {
      detail: { field: 'name' },
    })
  }
  let number = 1
  while (avoid.includes(`read-only-${number}`)) number++
  return `read-only-${number}`
}

function namedTwice(name: string): PosternError {
  return invalid(`readOnlyDataSources: data source '${name}' is named twice`)
}

function invalid(message: string): PosternError {
  return new PosternError('INVALID_ARGUMENT', message, { detail: { field: 'readOnlyDataSources' } })
}
