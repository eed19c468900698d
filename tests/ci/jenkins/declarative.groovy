// Reads Jenkinsfiles and prints what Jenkins would make of them, as JSON.
//
// stdin: [{"file": path, "env": {name: value}, "params": {name: value}}, ...]: files and the build that each is read for.
// stdout: for each the model, in which every condition of a `when` says whether it `holds`, or {"error": "..."}.
//
// It knows the sections, steps, options and conditions that this project's Jenkinsfile uses and refuses all others, so
// that nothing is passed over; tests/support/jenkins.py runs what it reads. It is not Jenkins: nothing is transformed for
// resuming or sandboxed, and a plugin's own checks are not made. Stricter than Jenkins: steps are constants, so that what somebody typed reaches a shell through
// its environment only, and the schedule may name only parameters and choices that there are.

import groovy.json.JsonOutput
import groovy.json.JsonSlurper
import java.nio.file.FileSystems
import java.nio.file.Path
import org.codehaus.groovy.ast.ClassNode
import org.codehaus.groovy.ast.CodeVisitorSupport
import org.codehaus.groovy.ast.expr.ConstantExpression
import org.codehaus.groovy.ast.expr.MethodCallExpression
import org.codehaus.groovy.classgen.GeneratorContext
import org.codehaus.groovy.control.CompilePhase
import org.codehaus.groovy.control.CompilerConfiguration
import org.codehaus.groovy.control.SourceUnit
import org.codehaus.groovy.control.customizers.CompilationCustomizer

class Refused extends RuntimeException {
    Refused(String why) { super(why) }
}

/** Marks the names that a Jenkinsfile calls, so that Groovy finds no method of its own for them. */
class Marked extends CompilationCustomizer {
    static final String MARK = 'jenkins '

    Marked() { super(CompilePhase.CONVERSION) }

    void call(SourceUnit source, GeneratorContext context, ClassNode script) {
        new CodeVisitorSupport() {
            void visitMethodCallExpression(MethodCallExpression it) {
                if (it.implicitThis) it.method = new ConstantExpression(MARK + it.methodAsString)
                super.visitMethodCallExpression(it)
            }
        }.with { visitor -> script.methods.each { it.code?.visit(visitor) } }
    }
}

/** Where the names in a block lead. */
class Scope {
    final Closure called, read, assigned

    Scope(Closure called, Closure read, Closure assigned) {
        this.@called = called
        this.@read = read
        this.@assigned = assigned
    }

    Object methodMissing(String name, Object arguments) { this.@called.call(name - Marked.MARK, arguments as List) }

    Object getProperty(String name) { this.@read.call(name) }

    void setProperty(String name, Object value) { this.@assigned.call(name, value) }
}

class Reader {
    final Map<String, String> env
    final Map<String, Object> params
    final List<String> changed
    Map<String, Map> parameters = [:]
    List<String> looked = []

    Reader(Map<String, String> env, Map<String, Object> params, List<String> changed) {
        this.env = env
        this.params = params
        this.changed = changed
    }

    Map pipeline(Closure body) {
        // The other sections may read `params`, so these are declared first, wherever they stand.
        Map sections = directives('pipeline', body, [
            agent: this.&agent, options: { it }, parameters: { it }, triggers: { it }, stages: { it },
        ])
        need('pipeline', sections, ['agent', 'stages'])
        if (sections.parameters) parameters = declared(sections.parameters)
        Map model = [agent: sections.agent, parameters: parameters]
        model.options = options('pipeline', sections.options, ['buildDiscarder', 'timeout', 'timestamps'])
        model.triggers = sections.triggers ? triggers(sections.triggers) : []
        model.stages = stages(sections.stages, sections.agent != 'none')
        Set<String> names = []
        all(model.stages).each { if (!names.add(it.name)) refuse("two stages are called '${it.name}'") }
        model
    }

    // ------------------------------------------------------------------------------------------------ sections

    String agent(Object kind) {
        if (kind instanceof Closure) return "label ${directives('agent', kind, [label: { String it -> it }]).label}"
        kind in ['any', 'none'] ? kind : refuse("agent does not know '$kind'")
    }

    List<Map> options(String where, Closure body, List<String> known) {
        if (!body) return []
        Map kinds = [
            buildDiscarder: { Map rotator -> rotator },
            timeout: { Map given -> named('timeout', given, ['time', 'unit']) },
            timestamps: { -> [:] },
            withFolderProperties: { -> [:] },
            lock: { String resource -> [resource: resource] },
        ]
        Map rotators = [logRotator: { Map given -> named('logRotator', given, ['daysToKeepStr']) }]
        directives("options of $where", body, kinds.subMap(known), rotators).collect { name, given -> [option: name] + given }
    }

    Map declared(Closure body) {
        Map<String, Map> found = [:]
        Closure add = { String kind, List<String> required, List<String> optional, Map given ->
            named(kind, given, required, optional)
            if (found.put(given.name, [kind: kind] + given)) refuse("two parameters are called '${given.name}'")
        }
        repeated('parameters', body, [
            choice: { Map given -> add('choice', ['name', 'choices'], ['description'], given) },
            string: { Map given -> add('string', ['name'], ['defaultValue', 'description', 'trim'], given) },
        ])
        found
    }

    Map<String, Object> values() {
        Map defaults = parameters.collectEntries { name, it -> [name, it.kind == 'choice' ? it.choices[0] : it.defaultValue ?: ''] }
        params.each { name, value ->
            if (!parameters.containsKey(name)) refuse("there is no parameter '$name'")
            if (parameters[name].kind == 'choice' && !(value in parameters[name].choices)) refuse("$name has no choice '$value'")
        }
        defaults + params
    }

    List<Map> triggers(Closure body) {
        String lines = directives('triggers', body, [parameterizedCron: { String it -> it }]).parameterizedCron
        lines.readLines()*.trim().findAll().collect { line ->
            def (cron, given) = line.split('%', 2)*.trim()
            if (cron.split(/\s+/).size() != 5) refuse("'$cron' has not the five fields of cron")
            Map set = given.split(';')*.trim().collectEntries { it.split('=', 2) as List }
            new Reader(env, set, changed).tap { it.parameters = this.parameters }.values()
            [cron: cron, params: set]
        }
    }

    List<Map> stages(Closure body, boolean onAgent) {
        List<Map> found = repeated('stages', body, [stage: { String name, Closure inside -> stage(name, inside, onAgent) }])
        found ?: refuse('stages has no stage')
    }

    Map stage(String name, Closure body, boolean onAgent) {
        String where = "stage '$name'"
        Map sections = directives(where, body, [
            when: this.&when, agent: this.&agent, options: { it }, input: this.&input, environment: this.&environment,
            stages: { it }, parallel: { it }, steps: { it }, post: { it },
        ])
        List<Map> options = options(where, sections.options, ['timeout', 'withFolderProperties', 'lock'])
        if (sections.subMap(['stages', 'parallel', 'steps']).size() != 1) refuse("$where needs one of steps, stages and parallel")
        if (sections.parallel && sections.agent) refuse("$where has an agent beside parallel")
        Closure waits = { it.option == 'lock' && sections.when && !('options' in sections.when.before) }
        if (options.any(waits)) refuse("$where waits for a lock before it looks whether it runs: beforeOptions is missing")
        onAgent = sections.agent ? sections.agent != 'none' : onAgent
        if (sections.steps && !onAgent) refuse("$where has no agent")
        [
            name: name,
            when: sections.when,
            agent: sections.agent,
            options: options,
            input: sections.input,
            environment: sections.environment ?: [],
            parallel: sections.parallel != null,
            stages: sections.steps ? [] : stages(sections.stages ?: sections.parallel, onAgent),
            steps: sections.steps ? steps("steps of $where", sections.steps) : [],
            post: post(where, sections.post),
        ]
    }

    Map input(Closure body) {
        Closure text = { String it -> it }
        Map found = directives('input', body, [message: text, ok: text, submitter: text, submitterParameter: text])
        need('input', found, ['message'])
        found
    }

    /** Assignments in their order; what is read stays a reference, which the build resolves. */
    List<Map> environment(Closure body) {
        List<Map> found = []
        Closure called = { String name, List given ->
            if (name != 'credentials' || given.size() != 1) refuse("environment does not know '$name'")
            [credentials: given[0]]
        }
        Closure assigned = { String name, Object value ->
            if (found.any { it.name == name }) refuse("environment sets $name twice")
            found << (value instanceof Map ? [name: name] + value : [name: name, value: value.toString()])
        }
        inside(body, called, { String name -> "\${$name}".toString() }, assigned)
        found
    }

    Map when(Closure body) {
        List<String> before = []
        List<Boolean> conditions = []
        looked = []
        Closure early = { String what -> { boolean it -> if (it) before << what } }
        repeated('when', body, condition(conditions) + [beforeAgent: early('agent'), beforeInput: early('input'), beforeOptions: early('options')])
        conditions ?: refuse('when has no condition')
        [before: before, holds: conditions.every(), changes: looked]
    }

    /** What may stand in `when`; whether each holds is added to the list. */
    Map<String, Closure> condition(List<Boolean> found) {
        Closure among = { String name, Closure body ->
            List<Boolean> children = []
            repeated(name, body, condition(children))
            children ?: refuse("$name has no condition")
        }
        [
            anyOf: { Closure body -> found << among('anyOf', body).any() },
            allOf: { Closure body -> found << among('allOf', body).every() },
            changeset: { String pattern ->
                looked << pattern
                found << changed.any { matches(pattern, it) }
            },
            not: { Closure body ->
                List<Boolean> negated = among('not', body)
                found << (negated.size() == 1 ? !negated[0] : refuse('not takes one condition'))
            },
            branch: { String pattern -> found << matches(pattern, env.BRANCH_NAME) },
            tag: { String pattern -> found << matches(pattern, env.TAG_NAME) },
            changeRequest: { Map given = [:] ->
                named('changeRequest', given, [], ['target'])
                found << (env.CHANGE_ID != null && (!given.target || matches(given.target, env.CHANGE_TARGET)))
            },
            expression: { Closure body ->
                found << (inside(body, { String name, List given -> refuse("expression does not know '$name'") }) as boolean)
            },
        ]
    }

    boolean matches(String pattern, String name) {
        name != null && FileSystems.default.getPathMatcher("glob:$pattern").matches(Path.of(name))
    }

    Map post(String where, Closure body) {
        if (!body) return [:]
        Map bodies = directives("post of $where", body, [unsuccessful: { it }])
        bodies.collectEntries { name, Closure inside -> [name, steps("$name of $where", inside)] }
    }

    List<Map> steps(String where, Closure body) {
        List<Map> found = []
        Closure text = { Object it -> it instanceof String ? it : refuse("$where takes '$it', which is no constant") }
        Closure block = { String name, Object given, Closure inside ->
            found << [step: name, given: given, steps: steps("$name in $where", inside)]
        }
        Map known = [
            sh: { Object script -> found << [step: 'sh', given: text(script)] },
            echo: { Object message -> found << [step: 'echo', given: text(message)] },
            lock: { Object resource, Closure inside -> block('lock', text(resource), inside) },
            timeout: { Map given, Closure inside -> block('timeout', named('timeout', given, ['time', 'unit']), inside) },
            catchError: { Map given = [:], Closure inside ->
                block('catchError', named('catchError', given, [], ['stageResult']), inside)
            },
            withCredentials: { List bindings, Closure inside -> block('withCredentials', bindings, inside) },
            string: { Map given -> named('string', given, ['credentialsId', 'variable']) },
        ]
        inside(body, { String name, List given -> take(where, known, name, given) }, { refuse("$where reads '$it'") })
        found ?: refuse("$where are empty")
    }

    // -------------------------------------------------------------------------------------------------- reading

    /** Returns what each directive of a block says; none may stand there twice. */
    Map<String, Object> directives(String where, Closure body, Map<String, Closure> known, Map<String, Closure> values = [:]) {
        Map<String, Object> found = [:]
        inside(body) { String name, List given ->
            if (values.containsKey(name)) return take(where, values, name, given)
            if (found.containsKey(name)) refuse("$where has two '$name'")
            found[name] = take(where, known, name, given)
        }
        found
    }

    List repeated(String where, Closure body, Map<String, Closure> known) {
        List found = []
        inside(body) { String name, List given -> found << take(where, known, name, given) }
        found
    }

    Object take(String where, Map<String, Closure> known, String name, List given) {
        if (!known.containsKey(name)) refuse("$where does not know '$name'")
        try {
            known[name].call(*given)
        } catch (MissingMethodException | ClassCastException error) {
            refuse("'$name' in $where takes other arguments")
        }
    }

    Object inside(Closure body, Closure called, Closure read = this.&variable, Closure assigned = { name, value -> refuse("nothing sets '$name' here") }) {
        body.delegate = new Scope(called, read, assigned)
        body.resolveStrategy = Closure.DELEGATE_ONLY
        body.call()
    }

    Object variable(String name) {
        switch (name) {
            case ['any', 'none']: return name
            case 'env': return env
            case 'params': return values()
            default: refuse("nothing is called '$name'")
        }
    }

    Map named(String where, Map given, List<String> required, List<String> optional = []) {
        need(where, given, required)
        Set unknown = given.keySet() - required - optional
        unknown ? refuse("$where does not know ${unknown.join(', ')}") : given
    }

    void need(String where, Map given, List<String> required) {
        List missing = required - given.keySet()
        if (missing) refuse("$where lacks ${missing.join(', ')}")
    }

    static List<Map> all(List<Map> stages) { stages + stages.collectMany { all(it.stages) } }

    static Object refuse(String why) { throw new Refused(why) }
}

Class compiled(String file) {
    CompilerConfiguration marking = new CompilerConfiguration().addCompilationCustomizers(new Marked())
    new GroovyShell(marking).parse(new File(file)).getClass()
}

Map read(Class jenkinsfile, Map build) {
    List<Map> found = []
    Script script = jenkinsfile.getDeclaredConstructor().newInstance()
    script.metaClass."${Marked.MARK}pipeline" = { Closure body -> found << new Reader(build.env, build.params, build.changed).pipeline(body) }
    script.run()
    found.size() == 1 ? found[0] : Reader.refuse("${found.size()} pipelines")
}

Closure compiledOnce = this.&compiled.memoize()
println JsonOutput.toJson(new JsonSlurper().parse(System.in).collect { build ->
    try {
        read(compiledOnce(build.file), build)
    } catch (Refused | GroovyRuntimeException error) {
        [error: error.message]
    }
})
