import type { Cell } from '../query-events.ts'
import { isRecord } from '../read-body.ts'

/** A type as Spanner writes it in SQL: `ARRAY<STRING>`, `STRUCT<a INT64>`, `PG.NUMERIC`. */
export function renderType(type: unknown): string {
  if (!isRecord(type)) return 'UNKNOWN'
  const { code, typeAnnotation, arrayElementType, structType, protoTypeFqn } = type
  if (code === 'ARRAY') return `ARRAY<${renderType(arrayElementType)}>`
  if (code === 'STRUCT') return `STRUCT<${fieldsOf(structType).map(renderField).join(', ')}>`
  if (typeof protoTypeFqn === 'string' && protoTypeFqn !== '') return protoTypeFqn
  const name = typeof code === 'string' ? code : 'UNKNOWN'
  return typeof typeAnnotation === 'string' && typeAnnotation.startsWith('PG_') ? `PG.${name}` : name
}

/** Names and types of a struct's or a row's fields. */
export function fieldsOf(structType: unknown): readonly { readonly name: string; readonly type: unknown }[] {
  if (!isRecord(structType) || !Array.isArray(structType['fields'])) return []
  return structType['fields'].map((field: unknown) => {
    const { name, type } = isRecord(field) ? field : {}
    return { name: typeof name === 'string' ? name : '', type }
  })
}

/**
 * A value as the API gives it: numbers keep every digit, since INT64 and NUMERIC come as strings; BYTES stay base64, as
 * Google's own tools print them; lists and structs are written as JSON.
 */
export function renderValue(value: unknown): Cell {
  if (value === null || value === undefined) return null
  if (typeof value === 'string') return value
  return JSON.stringify(value)
}

function renderField({ name, type }: { readonly name: string; readonly type: unknown }): string {
  return name === '' ? renderType(type) : `${name} ${renderType(type)}`
}
