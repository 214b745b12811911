import { PosternError } from '../base/errors.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import { rewrap } from '../crypto/seal.ts'
import {
  countOthers,
  replaceSealedValue,
  sealedColumns,
  valuesWrappedBy,
  type SealedColumn,
} from '../store/sealed-values.ts'
import type { Store } from '../store/store.ts'

export interface Resealed {
  /** Values that the current key wraps now and another one wrapped before. */
  readonly resealed: number
  /** Values that no key wrapped that is known here. They are left as they are. */
  readonly unreadable: number
}

const BATCH = 200
/** Batches in which nothing could be replaced, because it is damaged or always changed by others, before it is left. */
const IDLE_BATCHES = 3

/**
 * Wraps every sealed value of the store by the current master key instead of the others that it knows, while everything runs:
 * values are not opened, each changes in a statement of its own, and one that somebody else changes meanwhile is met again.
 * Stopped at any point it goes on where it was: what is done is told by the values themselves.
 *
 * @param onProgress told after each batch
 * @throws PosternError INTERNAL when a value of a known key cannot be sealed anew: then that key must be kept
 */
export async function resealStore(
  deps: { readonly store: Store; readonly masterKey: MasterKey },
  onProgress: (done: { readonly table: string; readonly resealed: number }) => void = () => undefined,
): Promise<Resealed> {
  const { store, masterKey } = deps
  let resealed = 0
  let unreadable = 0
  for (const column of await sealedColumns(store.db)) {
    let idle = 0
    while (idle < IDLE_BATCHES) {
      const { found, done } = await resealBatch(deps, column)
      if (found === 0) break
      resealed += done
      idle = done === 0 ? idle + 1 : 0
      onProgress({ table: column.table, resealed })
    }
    if ((await valuesWrappedBy(store.db, column, masterKey.otherIds, 1)).length > 0) throw leftBehind(column)
    unreadable += await countOthers(store.db, column, [masterKey.id])
  }
  return { resealed, unreadable }
}

function leftBehind({ table, column }: SealedColumn): PosternError {
  return new PosternError('INTERNAL', `A value in ${table}.${column} could not be sealed anew: it is damaged`, {
    hint: 'Both keys stay in use. Enter that secret again, and rotate again.',
  })
}

async function resealBatch(
  { store, masterKey }: { readonly store: Store; readonly masterKey: MasterKey },
  column: SealedColumn,
): Promise<{ readonly found: number; readonly done: number }> {
  const values = await valuesWrappedBy(store.db, column, masterKey.otherIds, BATCH)
  let done = 0
  for (const value of values) {
    const replacement = rewrap(masterKey, value.sealed)
    if (replacement !== undefined && (await replaceSealedValue(store.db, column, value, replacement))) done += 1
  }
  return { found: values.length, done }
}
