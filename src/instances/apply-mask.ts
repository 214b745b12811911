import { PosternError } from '../base/errors.ts'
import { DATA_SOURCE_FIELDS } from '../contract/data-sources.ts'
import { INSTANCE_FIELDS, type UpdateInstanceInput } from '../contract/instances.ts'

const INSTANCE_PATHS: readonly string[] = [
  ...INSTANCE_FIELDS,
  ...DATA_SOURCE_FIELDS.map((field) => `adminDataSource.${field}`),
]

/** Fields of which null means nothing: a mask that names one needs its value. */
const NEED_VALUES: readonly string[] = [
  'nativeLoginEnabled',
  'accessTokenLoginEnabled',
  'endSessionsOnRevocation',
  'adminDataSource',
  'readOnlyDataSources',
]

/**
 * The part of a change that its mask names. A named field that the body lacks goes back to its default (null); a field that the
 * mask does not name stays as it is, whatever the body says.
 *
 * @param mask names separated by commas; absent: every field of the body
 * @throws PosternError INVALID_ARGUMENT naming a path that there is not
 */
export function maskInstanceUpdate(input: UpdateInstanceInput, mask: string | undefined): UpdateInstanceInput {
  if (mask === undefined) return input
  const paths = readMask(mask, INSTANCE_PATHS)
  const { etag, skipTest } = input
  const whole = pick(
    input,
    paths.filter((path) => !path.includes('.')),
  )
  const parts = paths.filter((path) => path.startsWith('adminDataSource.')).map((path) => path.split('.')[1]!)
  if (parts.length === 0 || paths.includes('adminDataSource')) return { etag, skipTest, ...whole }
  return { etag, skipTest, ...whole, adminDataSource: pick(input.adminDataSource ?? {}, parts) }
}

/** The same for a change of one data source. @throws PosternError INVALID_ARGUMENT */
export function maskDataSourceUpdate<T extends object>(input: T, mask: string | undefined): Partial<T> {
  return mask === undefined ? input : pick(input, readMask(mask, DATA_SOURCE_FIELDS))
}

function readMask(mask: string, known: readonly string[]): readonly string[] {
  const paths = mask.split(',').map((path) => path.trim())
  const unknown = paths.filter((path) => !known.includes(path))
  if (unknown.length === 0) return paths
  throw new PosternError('INVALID_ARGUMENT', `updateMask: there is no field ${JSON.stringify(unknown.join(', '))}`, {
    hint: `Fields are ${known.filter((path) => !path.includes('.')).join(', ')}.`,
    detail: { field: 'updateMask' },
  })
}

function pick<T extends object>(input: T, paths: readonly string[]): Partial<T> {
  const entries = paths.map((path) => {
    const value = (input as Readonly<Record<string, unknown>>)[path] ?? null
    if (value === null && NEED_VALUES.includes(path)) {
      throw new PosternError(
        'INVALID_ARGUMENT',
        `${path}: the update mask names it, and the body has no value for it`,
        {
          detail: { field: path },
        },
      )
    }
    return [path, value] as const
  })
  return Object.fromEntries(entries) as Partial<T>
}
