# uv through torchsel, for PowerShell. In a project whose pyproject.toml speaks of torchsel, the commands that
# need this machine's torch go through torchsel; all others, and all elsewhere, are uv's own.
# Off: $env:TORCHSEL_DISABLE = '1'
if ((Test-Path -Path Function:\uv) -and -not (Test-Path -Path Function:\__torchsel_wanted)) {
    [Console]::Error.WriteLine("torchsel: your own function 'uv' is left as it is, so the hook is not in place; take yours out to have it")
}
else {
    function global:__torchsel_wanted([string[]] $words) {
        if ($env:TORCHSEL_DISABLE -and $env:TORCHSEL_DISABLE -notin '0', 'false') { return $false }
        $command = ''
        $skip = $false
        foreach ($word in $words) {
            if ($skip) { $skip = $false }
            elseif ($word -in @VALUES@) { $skip = $true }
            elseif ($word -notin @FLAGS@ -and $word -notlike '--*=*') { $command = $word; break }
        }
        if ($command -notin @COMMANDS@ -and -not $command.StartsWith('-')) { return $false }
        if ($env:UV_PROJECT -or $env:UV_WORKING_DIR -or $env:UV_WORKING_DIRECTORY) { return $true }
        foreach ($word in $words) {
            if ($word.StartsWith('--project') -or $word.StartsWith('--directory')) { return $true }
        }
        $folder = (Get-Location -PSProvider FileSystem).ProviderPath
        while ($folder) {
            $file = [System.IO.Path]::Combine($folder, 'pyproject.toml')
            if ([System.IO.File]::Exists($file) -and [System.IO.File]::ReadAllText($file).Contains('torchsel')) {
                return $true
            }
            $folder = [System.IO.Path]::GetDirectoryName($folder)
        }
        return $false
    }

    function global:uv {
        $name = 'uv'
        [string[]] $words = $args
        if (__torchsel_wanted $words) {
            if (Get-Command -Name torchsel -CommandType Application -ErrorAction SilentlyContinue) {
                $name = 'torchsel'
                $words = @('--hooked', 'uv') + $words
            }
            else {
                [Console]::Error.WriteLine('torchsel: not on PATH any more, so this is plain uv; install it again, or take the hook out')
            }
        }
        $program = @(Get-Command -Name $name -CommandType Application -ErrorAction Stop)[0].Source
        if ($MyInvocation.ExpectingInput) { $input | & $program @words } else { & $program @words }
    }
}
