# english-text.pl FOLDER TRAIN VALIDATION: turns the unpacked packages wordnet-base, sword-text-web and anarchism below FOLDER into
# plain text: one paragraph a line, a blank line between documents, no paragraph twice.  A document's name alone decides whether it
# is for training or (one in twenty) for validation, so the split outlives changes of the text.  Prints a table of what was written.
use strict;
use warnings;
use utf8;
use Compress::Zlib qw(uncompress);
use Digest::MD5 qw(md5_hex);
use Encode qw(decode_utf8 encode_utf8);
binmode STDOUT, ':utf8';

my ($folder, $train, $validation) = @ARGV;
my (%out, %seen, %count);
for (['train', $train], ['validation', $validation]) {
    open $out{$_->[0]}, '>:utf8', $_->[1] or die "$_->[1]: $!\n";
}

sub slurp {
    my ($file) = @_;
    open my $in, '<:raw', $file or die "$file: $!\n";
    local $/;
    return scalar <$in>;
}

# One document: its paragraphs that have not been seen, in lower case and without punctuation, anywhere before.
sub document {
    my ($source, $name, @paragraphs) = @_;
    my @fresh;
    for (@paragraphs) {
        tr/\x{AD}//d;    # soft hyphens
        s/\s+/ /g;
        s/^ | $|(?<=\() //g;
        my $words = lc;
        $words =~ s/[^\p{L}\p{N}]+/ /g;
        my $known = $words =~ /\p{L}.* .*\p{L}/ ? $seen{md5_hex(encode_utf8($words))}++ : 1;
        push @fresh, $_ unless $known;
    }
    return unless @fresh;
    my $split = hex(substr md5_hex("$source $name"), 0, 7) % 20 == 0 ? 'validation' : 'train';
    my $text = join("\n", @fresh) . "\n\n";
    print { $out{$split} } $text or die "cannot write: $!\n";
    my $counts = $count{$source}{$split} ||= [0, 0, 0];
    $counts->[0] += length encode_utf8($text);
    $counts->[1]++;
    $counts->[2] += @fresh;
}

sub without_entities {
    my ($text) = @_;
    my %named = (lt => '<', gt => '>', quot => '"', apos => "'", nbsp => ' ', amp => '&');
    $text =~ s/&(?:#(\d+)|#x([0-9a-f]+)|(lt|gt|quot|apos|nbsp|amp));/$1 ? chr $1 : $2 ? chr hex $2 : $named{$3}/gie;
    return $text;
}

# WordNet: a line a synset, "offset file … words and pointers | gloss", the gloss being a definition and examples in quotes.
# Neighbours in a lexicographer's file are about alike things: forty of them make a document.
sub sentence {
    my ($text) = @_;
    $text =~ s/^[\s"]+|[\s";,:]+$//g;
    return $text =~ /[.!?]$/ ? ucfirst $text : $text eq '' ? '' : ucfirst "$text.";
}

sub wordnet {
    for my $part (qw(noun verb adj adv)) {
        my %synsets;
        for (split /\n/, decode_utf8(slurp("$folder/usr/share/wordnet/data.$part"))) {
            next if /^ /;
            my ($data, $gloss) = split / \| /, $_, 2;
            my (undef, $file, undef, $n, @rest) = split / /, $data;
            my @words = map { my $w = $rest[2 * $_]; $w =~ s/\((?:a|p|ip)\)$//; $w =~ tr/_/ /; $w } 0 .. hex($n) - 1;
            my ($definition, @examples) = split /;\s*(?=")/, $gloss;
            s/^\s*"([^"]*)".*/$1/ for @examples; # what follows the closing quote names the author
            $definition =~ s/\s+$//;
            push @{ $synsets{$file} },
                join ' ', join(', ', @words) . ': ' . lcfirst(sentence($definition)), map { sentence($_) } @examples;
        }
        for my $file (sort keys %synsets) {
            my @all = @{ $synsets{$file} };
            for (my $n = 0; @all; $n++) {
                document('wordnet', "$part $file $n", splice @all, 0, 40);
            }
        }
    }
}

# World English Bible, zText: .bzs lists the zlib blocks of .bzz, 12 bytes each: offset, size, raw size.  Raw blocks hold the verses
# end to end, in OSIS mark-up; a chapter is a document.
sub bible {
    my $path = "$folder/usr/share/sword/modules/texts/ztext/engWEB2015eb";
    for my $testament (qw(ot nt)) {
        my ($index, $data) = map { slurp("$path/$testament.$_") } qw(bzs bzz);
        my $osis = '';
        for (unpack '(a12)*', $index) {
            my ($offset, $size, $raw) = unpack 'V3';
            my $block = uncompress(substr $data, $offset, $size);
            defined $block && length $block == $raw or die "$path/$testament.bzz: the block at $offset is damaged\n";
            $osis .= decode_utf8($block);
        }
        my ($front, @chapters) = split /<chapter [^>]*osisID="([^"]+)"[^>]*>/, $osis;
        while (my ($name, $text) = splice @chapters, 0, 2) {
            $text =~ s{<chapter eID.*}{}s;    # what follows is the next book's front matter
            $text =~ s{<(note|title)\b[^>]*?(?:/>|>.*?</\1>)}{ }gs;
            $text =~ s{<lg\b[^>]*>|<div\b[^>]*type="x-p"[^>]*>}{\n}g;
            $text =~ s{<l\b[^>]*>}{ }g;
            $text =~ s{<[^>]+>}{}g;
            $text = without_entities($text);
            $text =~ s/[^\S\n]+/ /g;
            $text =~ s/ (?=[,.;:?!”’)])|(?<=[“‘(]) //g;
            document('bible', $name, split /\n/, $text);
        }
    }
}

# The Anarchist FAQ, in HTML: a section under <h2> is a document.  Left out: pages that are lists of links, books, quotations or
# contents, the navigation, and the references in square brackets behind quotations.
sub anarchism {
    my $path = "$folder/usr/share/doc/anarchism/html";
    for my $file (sort glob "$path/*.html") {
        my ($page) = $file =~ m{([^/]+)\.html$};
        next if $page =~ /links$|con$|^(?:biblio|book|contact|index|new|pdf|quotes)$/;
        my $html = decode_utf8(slurp($file));
        $html =~ s{^.*?<body>}{}s;
        $html =~ s{<div id="book-navigation.*}{}s;
        $html =~ s{<(table|ul|ol)\b.*?</\1>}{\n}gis;
        my $n = 0;
        for my $section (split /(?=<h2)/i, $html) {
            $section =~ s/\s+/ /g;
            $section =~ s{</?(?:p|h\d|blockquote|div|hr|center|br ?/?>\s*<br)\b[^>]*>}{\n}gi;
            $section =~ s/\[[^\[\]]*(?:<b>|\bpp?\. ?\d|Op\. ?Cit|Ibid|\bquoted\b|\bcited\b)[^\[\]]*\]//gi;
            my @paragraphs = grep { !mostly_link($_) } split /\n/, $section;
            for (@paragraphs) {
                s/<[^>]+>//g;
                $_ = without_entities($_);
                s/^\s*[A-J]\.\d+(?:\.\d+)*\s+//;    # a heading's number
                s/\. \. ?\.(?: \.)?/.../g;
                s/\s+(?=[.,;:?!)](?:[\s.,;)]|$))//g;
            }
            document('anarchism', $page . ' ' . $n++, @paragraphs);
        }
    }
}

sub mostly_link {
    my ($html) = @_;
    my $linked = join '', $html =~ m{<a [^>]*>(.*?)</a>}gi;
    $html =~ s/<[^>]+>//g;
    return 2 * length $linked > length $html || $html =~ m{https?://|www\.};
}

wordnet();
bible();
anarchism();
close $_ or die "cannot write: $!\n" for values %out;

printf "%-10s %-10s %9s %10s %8s\n", qw(source split documents paragraphs MB);
for my $source (sort keys %count) {
    for my $split (qw(train validation)) {
        my $counts = $count{$source}{$split} or die "english-text.pl: $source has no document for $split\n";
        printf "%-10s %-10s %9d %10d %8.2f\n", $source, $split, @$counts[1, 2], $counts->[0] / 1e6;
    }
}
