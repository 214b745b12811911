/** Text that is HTML already: what {@link html} made. Everything else is escaped when it gets into a page. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

type Fragment = Html | string | undefined | readonly Html[]

/** A piece of a page. Whatever is put into it is escaped, unless it is a piece itself; undefined is nothing. */
export function html(literals: TemplateStringsArray, ...values: readonly Fragment[]): Html {
  return new Html(literals.reduce((text, literal, position) => text + textOf(values[position - 1]) + literal))
}

function textOf(value: Fragment): string {
  if (value === undefined) return ''
  if (value instanceof Html) return value.text
  if (typeof value !== 'string') return value.map((piece) => piece.text).join('')
  return value.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
