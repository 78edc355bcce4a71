// Which language a path is in, and what a definition and an import look like in its syntax tree. The patterns are queries of
// tree-sitter (https://tree-sitter.github.io/tree-sitter/using-parsers/queries): the capture around a definition says its kind.

export interface Grammar {
  /** Name of the grammar in the package that brings it. */
  readonly grammar: string;
  readonly query: string;
}

const named = (kind: string, name: string, ...types: string[]): string =>
  types.map((type) => `(${type} name: ${name} @name) @${kind}`).join('\n');

const javascript = (className: string): string => `
${named('function', '(identifier)', 'function_declaration', 'generator_function_declaration')}
${named('class', className, 'class_declaration')}
${named('method', '(_)', 'method_definition')}
(program (lexical_declaration (variable_declarator name: (identifier) @name)) @constant)
(program (variable_declaration (variable_declarator name: (identifier) @name)) @constant)
(program (export_statement (lexical_declaration (variable_declarator name: (identifier) @name)) @constant))
(assignment_expression left: (member_expression property: (property_identifier) @name)
  right: [(function_expression) (arrow_function)]) @function
(import_statement source: (string) @import)
(export_statement source: (string) @import)
(call_expression function: (import) arguments: (arguments . (string) @import))
((call_expression function: (identifier) @called arguments: (arguments . (string) @import)) (#eq? @called "require"))
`;

const typescript = `${javascript('(type_identifier)')}
${named('class', '(type_identifier)', 'abstract_class_declaration')}
${named('interface', '(type_identifier)', 'interface_declaration')}
${named('type', '(type_identifier)', 'type_alias_declaration')}
${named('type', '(identifier)', 'enum_declaration')}
${named('function', '(identifier)', 'function_signature')}
${named('method', '(_)', 'abstract_method_signature')}
(public_field_definition name: (_) @name value: (arrow_function)) @method
(internal_module name: (_) @name) @module
`;

const grammars: Readonly<Record<string, Grammar>> = {
  javascript: { grammar: 'javascript', query: javascript('(identifier)') },
  typescript: { grammar: 'typescript', query: typescript },
  tsx: { grammar: 'tsx', query: typescript },
  python: {
    grammar: 'python',
    query: `${named('function', '(identifier)', 'function_definition')}
${named('class', '(identifier)', 'class_definition')}
(module (expression_statement (assignment left: (identifier) @name)) @constant)
(import_statement name: (dotted_name) @import)
(import_statement name: (aliased_import name: (dotted_name) @import))
(import_from_statement module_name: (_) @import)`,
  },
  go: {
    grammar: 'go',
    query: `${named('function', '(identifier)', 'function_declaration')}
${named('method', '(field_identifier)', 'method_declaration')}
${named('type', '(type_identifier)', 'type_spec')}
(source_file (const_declaration (const_spec name: (identifier) @name)) @constant)
(source_file (var_declaration (var_spec name: (identifier) @name)) @constant)
(import_spec path: (_) @import)`,
  },
  rust: {
    grammar: 'rust',
    query: `${named('function', '(identifier)', 'function_item', 'macro_definition')}
${named('class', '(type_identifier)', 'struct_item', 'union_item')}
${named('interface', '(type_identifier)', 'trait_item')}
${named('type', '(type_identifier)', 'enum_item', 'type_item')}
${named('constant', '(identifier)', 'const_item', 'static_item')}
${named('module', '(identifier)', 'mod_item')}
(impl_item type: (_) @name) @class
(use_declaration argument: (_) @import)
(mod_item name: (identifier) @import !body)`,
  },
  java: {
    grammar: 'java',
    query: `${named('class', '(identifier)', 'class_declaration', 'record_declaration')}
${named('interface', '(identifier)', 'interface_declaration', 'annotation_type_declaration')}
${named('type', '(identifier)', 'enum_declaration')}
${named('method', '(identifier)', 'method_declaration', 'constructor_declaration')}
(import_declaration (scoped_identifier) @import)`,
  },
  // C is read with the grammar of C++, which knows nearly all of it.
  cpp: {
    grammar: 'cpp',
    query: `(function_definition declarator: (function_declarator declarator: (_) @name)) @function
(function_definition declarator: (pointer_declarator declarator: (function_declarator declarator: (_) @name))) @function
(function_definition declarator: (reference_declarator (function_declarator declarator: (_) @name))) @function
(class_specifier name: (_) @name body: (_)) @class
(struct_specifier name: (_) @name body: (_)) @class
(union_specifier name: (_) @name body: (_)) @class
(enum_specifier name: (_) @name body: (_)) @type
(type_definition declarator: (type_identifier) @name) @type
(namespace_definition name: (_) @name) @module
(preproc_def name: (identifier) @name) @constant
(preproc_function_def name: (identifier) @name) @function
(preproc_include path: (_) @import)`,
  },
  ruby: {
    grammar: 'ruby',
    query: `${named('method', '(_)', 'method', 'singleton_method')}
${named('class', '(_)', 'class')}
${named('module', '(_)', 'module')}
((call method: (identifier) @called arguments: (argument_list . (string) @import)) (#match? @called "^require"))`,
  },
  php: {
    grammar: 'php',
    query: `${named('function', '(name)', 'function_definition')}
${named('method', '(name)', 'method_declaration')}
${named('class', '(name)', 'class_declaration', 'trait_declaration')}
${named('interface', '(name)', 'interface_declaration')}
${named('type', '(name)', 'enum_declaration')}
(namespace_use_clause (qualified_name) @import)`,
  },
  csharp: {
    grammar: 'c-sharp',
    query: `${named('class', '(identifier)', 'class_declaration', 'struct_declaration', 'record_declaration')}
${named('interface', '(identifier)', 'interface_declaration')}
${named('type', '(identifier)', 'enum_declaration', 'delegate_declaration')}
${named('method', '(identifier)', 'method_declaration', 'constructor_declaration', 'property_declaration')}
(using_directive (qualified_name) @import)`,
  },
  shell: { grammar: 'bash', query: named('function', '(word)', 'function_definition') },
};

const extensions: Readonly<Record<string, string>> = {
  ...Object.fromEntries(['js', 'mjs', 'cjs', 'jsx'].map((e) => [e, 'javascript'])),
  ...Object.fromEntries(['ts', 'mts', 'cts'].map((e) => [e, 'typescript'])),
  ...Object.fromEntries(['py', 'pyi'].map((e) => [e, 'python'])),
  ...Object.fromEntries(['c', 'h', 'cc', 'cpp', 'cxx', 'hh', 'hpp', 'hxx', 'inl'].map((e) => [e, 'cpp'])),
  ...Object.fromEntries(['sh', 'bash'].map((e) => [e, 'shell'])),
  ...Object.fromEntries(['md', 'mdx', 'markdown'].map((e) => [e, 'markdown'])),
  tsx: 'tsx',
  go: 'go',
  rs: 'rust',
  java: 'java',
  rb: 'ruby',
  php: 'php',
  cs: 'csharp',
};

/** The language of a path by its extension: one with a grammar, `markdown`, or `text`. */
export function languageOf(path: string): string {
  const extension = /\.([^./]+)$/.exec(path)?.[1]?.toLowerCase() ?? '';
  return Object.hasOwn(extensions, extension) ? (extensions[extension] as string) : 'text';
}

/** Undefined for a language that is read by lines. */
export function grammarOf(language: string): Grammar | undefined {
  return Object.hasOwn(grammars, language) ? grammars[language] : undefined;
}

/** Every language that has a grammar. */
export const parsedLanguages: readonly string[] = Object.keys(grammars);
