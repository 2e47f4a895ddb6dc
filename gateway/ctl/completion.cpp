#include "gateway/ctl/completion.h"

#include <functional>

/// All three shells get the same thing said in their way: for each command, what may follow it. A command is known by
/// the words that lead to it, joined with spaces: "rules show"; the program itself is "".
namespace gw::ctl {

namespace {

using Visit = std::function<void(const std::string& path, const CommandDescription& command)>;

void visit(const CommandDescription& command, const std::string& path, const Visit& each)
{
    each(path, command);
    for (const auto& below : command.commands) visit(below, path.empty() ? below.name : path + ' ' + below.name, each);
}

/// Inside single quotes.
std::string shell_quoted(std::string_view text)
{
    std::string into = "'";
    for (const char c : text) {
        if (c == '\'')
            into += "'\\''";
        else
            into += c;
    }
    return into + '\'';
}

std::string in_one_line(const std::vector<std::string>& words)
{
    std::string text;
    for (const auto& word : words) text += (text.empty() ? "" : " ") + word;
    return text;
}

/// Everything that may be typed after a command: commands, options, and the values of its positional.
std::string words_after(const CommandDescription& command)
{
    std::vector<std::string> words;
    for (const auto& below : command.commands) words.push_back(below.name);
    for (const auto& option : command.options) {
        if (option.names.empty())
            words.insert(words.end(), option.values.begin(), option.values.end());
        else
            words.insert(words.end(), option.names.begin(), option.names.end());
    }
    return in_one_line(words);
}

bool takes_file(const CommandDescription& command)
{
    for (const auto& option : command.options)
        if (option.names.empty() && option.file) return true;
    return false;
}

std::string command_names(const CommandDescription& description)
{
    std::vector<std::string> paths;
    visit(description, "", [&](const std::string& path, const CommandDescription&) {
        if (!path.empty()) paths.push_back('"' + path + '"');
    });
    std::string text;
    for (const auto& path : paths) text += (text.empty() ? "" : "|") + path;
    return text;
}

/// "path option") for each option that takes a value.
std::string bash_values(const CommandDescription& description)
{
    std::string text;
    visit(description, "", [&](const std::string& path, const CommandDescription& command) {
        for (const auto& option : command.options) {
            if (!option.takes_value || option.names.empty()) continue;
            std::string cases;
            for (const auto& name : option.names) {
                // The program's own options may stand behind any command.
                const auto word = path.empty() ? "*\" " + name + '"' : '"' + path + ' ' + name + '"';
                cases += (cases.empty() ? "" : "|") + word;
            }
            text += "        " + cases + ") ";
            text += option.file ? "COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
                                : "COMPREPLY=($(compgen -W " + shell_quoted(in_one_line(option.values)) +
                                      " -- \"$word\")) ;;\n";
        }
    });
    return text;
}

/// Every option whose value is a word of its own.
std::string options_with_value(const CommandDescription& description)
{
    std::string text;
    visit(description, "", [&](const std::string&, const CommandDescription& command) {
        for (const auto& option : command.options)
            for (const auto& name : option.names)
                if (option.takes_value) text += (text.empty() ? "" : "|") + name;
    });
    return text;
}

std::string bash_words(const CommandDescription& description)
{
    std::string text;
    visit(description, "", [&](const std::string& path, const CommandDescription& command) {
        text += "        \"" + path + "\") COMPREPLY=($(compgen -W " + shell_quoted(words_after(command));
        text += takes_file(command) ? " -- \"$word\") $(compgen -f -- \"$word\")) ;;\n" : " -- \"$word\")) ;;\n";
    });
    return text;
}

std::string bash(const CommandDescription& description)
{
    return "# bash completion for gatewayctl; see gatewayctl(1)\n"
           "_gatewayctl() {\n"
           "    local word=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\" path=\"\" next i\n"
           "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
           "        case \"${COMP_WORDS[i-1]}\" in " +
           options_with_value(description) +
           ") continue ;; esac\n"
           "        next=\"${path:+$path }${COMP_WORDS[i]}\"\n"
           "        case \"$next\" in\n"
           "        " +
           command_names(description) +
           ") path=\"$next\" ;;\n"
           "        esac\n"
           "    done\n"
           "    COMPREPLY=()\n"
           "    case \"$path $before\" in\n" +
           bash_values(description) +
           "    *)\n"
           "        case \"$path\" in\n" +
           bash_words(description) +
           "        esac ;;\n"
           "    esac\n"
           "}\n"
           "complete -F _gatewayctl gatewayctl\n";
}

/// What _arguments and _describe take apart: brackets and colons.
std::string zsh_escaped(std::string_view text)
{
    std::string into;
    for (const char c : text) {
        if (c == '[' || c == ']' || c == ':' || c == '\\') into += '\\';
        into += c;
    }
    return into;
}

std::string zsh_action(const OptionDescription& option)
{
    if (option.file) return ":file:_files";
    if (!option.values.empty()) return ":value:(" + in_one_line(option.values) + ')';
    return option.takes_value ? ":value: " : "";
}

void zsh_function(const CommandDescription& command, const std::string& name, std::string& into)
{
    into += name + "() {\n    local context state line\n    _arguments -C";
    for (const auto& option : command.options) {
        if (option.names.empty()) into += " \\\n        " + shell_quoted("1" + zsh_action(option));
        for (const auto& word : option.names)
            into += " \\\n        " + shell_quoted(word + '[' + zsh_escaped(option.help) + ']' + zsh_action(option));
    }
    if (command.commands.empty()) {
        into += "\n}\n";
        return;
    }
    into +=
        " \\\n        '1:command:->command' \\\n        '*::argument:->argument'\n    case $state in\n    command)\n";
    into += "        local -a commands=(";
    for (const auto& below : command.commands)
        into += "\n            " + shell_quoted(zsh_escaped(below.name) + ':' + zsh_escaped(below.help));
    into += ")\n        _describe command commands ;;\n    argument)\n        case $line[1] in\n";
    for (const auto& below : command.commands)
        into += "        " + below.name + ") " + name + '_' + below.name + " ;;\n";
    into += "        esac ;;\n    esac\n}\n";
    for (const auto& below : command.commands) zsh_function(below, name + '_' + below.name, into);
}

std::string zsh(const CommandDescription& description)
{
    std::string text = "#compdef gatewayctl\n# zsh completion for gatewayctl; see gatewayctl(1)\n";
    zsh_function(description, "_gatewayctl", text);
    return text + "if [ \"$funcstack[1]\" = \"_gatewayctl\" ]; then _gatewayctl \"$@\"; else compdef _gatewayctl "
                  "gatewayctl; fi\n";
}

/// True in fish when exactly the words of `path` were typed, and none of the commands below it.
std::string fish_condition(const std::string& path, const CommandDescription& command)
{
    std::vector<std::string> below;
    for (const auto& one : command.commands) below.push_back(one.name);
    if (path.empty()) return "__fish_use_subcommand";
    std::string condition;
    std::string_view rest = path;
    while (!rest.empty()) {
        const auto word = rest.substr(0, rest.find(' '));
        condition += (condition.empty() ? "" : "; and ") + ("__fish_seen_subcommand_from " + std::string(word));
        rest.remove_prefix(std::min(word.size() + 1, rest.size()));
    }
    if (!below.empty()) condition += "; and not __fish_seen_subcommand_from " + in_one_line(below);
    return condition;
}

std::string fish_option(const OptionDescription& option)
{
    std::string text;
    for (const auto& name : option.names)
        text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    if (option.takes_value && !option.names.empty()) text += option.file ? " -r -F" : " -x";
    if (!option.values.empty())
        text += " -a " + shell_quoted(in_one_line(option.values));
    else if (option.names.empty() && option.file)
        text += " -F";
    return text;
}

std::string fish(const CommandDescription& description)
{
    std::string text = "# fish completion for gatewayctl; see gatewayctl(1)\ncomplete -c gatewayctl -f\n";
    visit(description, "", [&](const std::string& path, const CommandDescription& command) {
        const auto condition = shell_quoted(fish_condition(path, command));
        for (const auto& below : command.commands)
            text += "complete -c gatewayctl -n " + condition + " -a " + below.name + " -d " + shell_quoted(below.help) +
                    '\n';
        for (const auto& option : command.options) {
            const auto words = fish_option(option);
            if (words.empty()) continue;
            text += "complete -c gatewayctl" + (path.empty() ? "" : " -n " + condition) + words;
            text += option.names.empty() ? "\n" : " -d " + shell_quoted(option.help) + '\n';
        }
    });
    return text;
}

} // namespace

std::string completion_script(std::string_view shell, const CommandDescription& description)
{
    if (shell == "zsh") return zsh(description);
    if (shell == "fish") return fish(description);
    return bash(description);
}

} // namespace gw::ctl
